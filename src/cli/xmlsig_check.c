/* Checks an XML signature of a tag. What xmlsec could be talked into (references elsewhere, transforms that choose
 * parts, keys from anywhere) is refused before it is asked: a signature here is of all of the document but itself, by
 * the key of a certificate that it carries. */
#include "cli/xmlsig.h"

#include <libxml/parser.h>
#include <libxml/tree.h>
#include <limits.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include <xmlsec/xmlsec.h>

#include <xmlsec/errors.h>
#include <xmlsec/openssl/app.h>
#include <xmlsec/openssl/crypto.h>
#include <xmlsec/openssl/evp.h>
#include <xmlsec/xmldsig.h>

/* ---- both libraries ---------------------------------------------------------------------------------------------- */

static void PRINTF_LIKE(2, 3) be_silent(void *context, const char *format, ...)
{
    (void)context, (void)format;
}

static void report_nothing(const char *file, int line, const char *func, const char *object, const char *subject,
                           int reason, const char *text)
{
    (void)file, (void)line, (void)func, (void)object, (void)subject, (void)reason, (void)text;
}

bool xmlsig_set_up(void)
{
    xmlInitParser();
    xmlSetGenericErrorFunc(NULL, be_silent);
    if (xmlSecInit() < 0)
        return false;
    xmlSecErrorsSetCallback(report_nothing);
    return xmlSecOpenSSLAppInit(NULL) >= 0 && xmlSecOpenSSLInit() >= 0;
}

void xmlsig_shut_down(void)
{
    xmlSecOpenSSLShutdown();
    xmlSecOpenSSLAppShutdown();
    xmlSecShutdown();
    xmlCleanupParser();
}

/* ---- documents --------------------------------------------------------------------------------------------------- */

/* Before anything is declared: no entity ever comes to be. */
static void refuse_doctype(void *context, const xmlChar *name, const xmlChar *public_id, const xmlChar *system_id)
{
    xmlParserCtxt *c = context;
    (void)name, (void)public_id, (void)system_id;
    *(bool *)c->_private = true;
    xmlStopParser(c);
}

xmlsig_document xmlsig_parse(struct bytes xml, struct error *error)
{
    bool doctype = false, good = false;
    xmlDoc *d = NULL;
    xmlParserCtxt *c = xml.n && xml.n <= SWID_READ_MAX ? xmlNewParserCtxt() : NULL;
    error_set(error, "it is no XML");
    if (xml.n > SWID_READ_MAX)
        error_set(error, "it is larger than %d MiB", SWID_READ_MAX >> 20);
    if (!c)
        return NULL;
    c->_private = &doctype;
    c->sax->internalSubset = refuse_doctype;
    d = xmlCtxtReadMemory(c, (const char *)xml.p, (int)xml.n, NULL, NULL,
                          XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
    good = d && c->wellFormed && c->nsWellFormed && !doctype && !d->intSubset && !d->extSubset &&
           xmlStrEqual(d->version, BAD_CAST "1.0");
    if (doctype)
        error_set(error, "a document type has no place in a tag");
    xmlFreeParserCtxt(c);
    if (good)
        return d;
    xmlFreeDoc(d);
    return NULL;
}

static bool is_dsig(const xmlNode *n, const char *name)
{
    return n->type == XML_ELEMENT_NODE && n->ns && xmlStrEqual(n->ns->href, BAD_CAST XMLSIG_DSIG) &&
           xmlStrEqual(n->name, BAD_CAST name);
}

/* The next node of the document, in its order; entities cannot be. */
static xmlNode *walk(xmlNode *n)
{
    if (n->type == XML_ELEMENT_NODE && n->children)
        return n->children;
    while (n && !n->next)
        n = n->parent && n->parent->type == XML_ELEMENT_NODE ? n->parent : NULL;
    return n ? n->next : NULL;
}

xmlNode *xmlsig_find(xmlsig_document d, struct error *error)
{
    xmlNode *root = xmlDocGetRootElement(d), *found = NULL;
    size_t count = 0;
    for (xmlNode *n = root; n; n = walk(n))
        if (is_dsig(n, "Signature")) {
            found = n;
            count++;
        }
    if (count == 1 && found->parent == root)
        return found;
    error_set(error, count == 0  ? "there is no signature"
                     : count > 1 ? "there is more than one signature"
                                 : "the signature is not the root's own, so that it may be of something else");
    return NULL;
}

/* ---- what a signature may say: nothing but this ------------------------------------------------------------------ */

static const char *const canonicalisations[] = {XMLSIG_C14N, XMLSIG_C14N11, XMLSIG_EXC_C14N, NULL};
static const char *const signatures[] = {XMLSIG_MORE "rsa-sha256",
                                         XMLSIG_MORE "rsa-sha384",
                                         XMLSIG_MORE "rsa-sha512",
                                         XMLSIG_MORE "ecdsa-sha256",
                                         XMLSIG_MORE "ecdsa-sha384",
                                         XMLSIG_MORE "ecdsa-sha512",
                                         NULL};
static const char *const digests[] = {XMLSIG_SHA256, XMLSIG_MORE "sha384", "http://www.w3.org/2001/04/xmlenc#sha512",
                                      NULL};
static const char *const envelopes[] = {XMLSIG_ENVELOPED, NULL};

/* The first child element at or behind n; anything but elements and blanks makes *good false. */
static xmlNode *element_at(xmlNode *n, bool *good)
{
    for (; n && n->type != XML_ELEMENT_NODE; n = n->next)
        *good &= n->type == XML_TEXT_NODE && xmlIsBlankNode(n);
    return n;
}

/* Steps to a child element of this name and takes it; NULL if something else stands there. */
static xmlNode *take(xmlNode **at, const char *name)
{
    bool good = true;
    xmlNode *n = element_at(*at, &good);
    if (!good || !n || !is_dsig(n, name))
        return NULL;
    *at = n->next;
    return n;
}

static bool at_end(xmlNode *at)
{
    bool good = true;
    return !element_at(at, &good) && good;
}

static bool is_one_of(const xmlChar *text, const char *const *words)
{
    while (text && *words && !xmlStrEqual(text, BAD_CAST * words))
        words++;
    return text && *words;
}

/* <NAME Algorithm="one of these"/>, without parameters. */
static bool take_algorithm(xmlNode **at, const char *name, const char *const *words)
{
    xmlNode *n = take(at, name);
    const xmlAttr *a = n ? n->properties : NULL;
    return a && !a->next && !a->ns && xmlStrEqual(a->name, BAD_CAST "Algorithm") && a->children && !a->children->next &&
           is_one_of(a->children->content, words) && at_end(n->children);
}

/* URI="": the document that the signature stands in, all of it. No type, no name. */
static bool is_whole_document(const xmlNode *reference)
{
    const xmlAttr *a = reference->properties;
    return a && !a->next && !a->ns && xmlStrEqual(a->name, BAD_CAST "URI") &&
           (!a->children || (!a->children->next && !*a->children->content));
}

static bool transforms_are_plain(xmlNode *transforms)
{
    xmlNode *at = transforms ? transforms->children : NULL;
    return transforms && take_algorithm(&at, "Transform", envelopes) &&
           (at_end(at) || take_algorithm(&at, "Transform", canonicalisations)) && at_end(at);
}

/* Octets in base64, spelled in the one way that gives them: what is not signed cannot be varied either. */
static bool take_base64(const xmlNode *n, struct wr *to)
{
    struct wr text = wr_of(0);
    const xmlNode *child = n->children;
    bool good = child && child->type == XML_TEXT_NODE && !child->next;
    for (const xmlChar *p = good ? child->content : BAD_CAST ""; *p; p++)
        if (!strchr(" \t\r\n", *p))
            wr_u8(&text, *p);
    struct bytes b = wr_view(&text);
    uint8_t *octets = malloc(b.n + 4), *again = malloc(b.n + 4);
    int n_octets = good && !text.bad && octets && again && b.n % 4 == 0 && b.n && b.n < INT_MAX
                       ? EVP_DecodeBlock(octets, b.p, (int)b.n)
                       : -1;
    if (n_octets > 0)
        n_octets -= (b.p[b.n - 1] == '=') + (b.p[b.n - 2] == '=');
    good = n_octets > 0 && EVP_EncodeBlock(again, octets, n_octets) == (int)b.n && memcmp(again, b.p, b.n) == 0;
    if (good)
        wr_bytes(to, (struct bytes){octets, (size_t)n_octets});
    free(octets);
    free(again);
    wr_free(&text);
    return good;
}

static bool is_base64(const xmlNode *n)
{
    struct wr octets = wr_of(0);
    bool good = n && !n->properties && take_base64(n, &octets);
    wr_free(&octets);
    return good;
}

static bool signed_info_is_plain(xmlNode *info)
{
    xmlNode *at = info ? info->children : NULL, *reference, *inner;
    if (!info || !take_algorithm(&at, "CanonicalizationMethod", canonicalisations) ||
        !take_algorithm(&at, "SignatureMethod", signatures) || !(reference = take(&at, "Reference")) || !at_end(at))
        return false;
    inner = reference->children;
    return is_whole_document(reference) && transforms_are_plain(take(&inner, "Transforms")) &&
           take_algorithm(&inner, "DigestMethod", digests) && is_base64(take(&inner, "DigestValue")) && at_end(inner);
}

/* Leaves *key_info. No ds:Object: what stands within the signature is not signed. */
static bool is_plain(xmlNode *signature, xmlNode **key_info)
{
    xmlNode *at = signature->children;
    return signed_info_is_plain(take(&at, "SignedInfo")) && is_base64(take(&at, "SignatureValue")) &&
           (*key_info = take(&at, "KeyInfo")) != NULL && at_end(at);
}

/* ---- keys -------------------------------------------------------------------------------------------------------- */

struct _xmlSecKey *xmlsig_key(EVP_PKEY *pkey)
{
    int type = pkey ? EVP_PKEY_get_base_id(pkey) : 0;
    if ((type != EVP_PKEY_RSA || EVP_PKEY_get_bits(pkey) < 2048) &&
        (type != EVP_PKEY_EC || EVP_PKEY_get_bits(pkey) < 256))
        return NULL;
    xmlSecKey *key = xmlSecKeyCreate();
    EVP_PKEY_up_ref(pkey);
    xmlSecKeyData *data = xmlSecOpenSSLEvpKeyAdopt(pkey);
    if (!data)
        EVP_PKEY_free(pkey);
    if (key && data && xmlSecKeySetValue(key, data) == 0)
        return key;
    if (data)
        xmlSecKeyDataDestroy(data);
    if (key)
        xmlSecKeyDestroy(key);
    return NULL;
}

/* Those of KeyInfo's X509Data; other ways to name a key are passed over. */
static bool take_certificates(xmlNode *key_info, struct wr *octets, struct bytes *chain, size_t *count)
{
    size_t ends[NET_CHAIN_MAX];
    *count = 0;
    for (xmlNode *data = key_info->children; data; data = data->next)
        for (xmlNode *n = is_dsig(data, "X509Data") ? data->children : NULL; n; n = n->next) {
            if (!is_dsig(n, "X509Certificate"))
                continue;
            if (*count == NET_CHAIN_MAX || !take_base64(n, octets))
                return false;
            ends[(*count)++] = octets->n;
        }
    for (size_t i = 0; i < *count; i++) {
        size_t from = i ? ends[i - 1] : 0;
        chain[i] = (struct bytes){octets->p + from, ends[i] - from};
    }
    return *count > 0 && !octets->bad;
}

/* ---- the check --------------------------------------------------------------------------------------------------- */

/* xmlsec is held to the same again. */
static bool limit(xmlSecDSigCtx *c)
{
    c->enabledReferenceUris = xmlSecTransformUriTypeEmpty;
    const xmlSecTransformId both[] = {xmlSecTransformInclC14NId, xmlSecTransformInclC14N11Id,
                                      xmlSecTransformExclC14NId};
    const xmlSecTransformId methods[] = {xmlSecOpenSSLTransformRsaSha256Id,   xmlSecOpenSSLTransformRsaSha384Id,
                                         xmlSecOpenSSLTransformRsaSha512Id,   xmlSecOpenSSLTransformEcdsaSha256Id,
                                         xmlSecOpenSSLTransformEcdsaSha384Id, xmlSecOpenSSLTransformEcdsaSha512Id};
    const xmlSecTransformId sums[] = {xmlSecTransformEnvelopedId, xmlSecOpenSSLTransformSha256Id,
                                      xmlSecOpenSSLTransformSha384Id, xmlSecOpenSSLTransformSha512Id};
    bool good = true;
    for (size_t i = 0; i < ARRAY_LENGTH(both); i++)
        good &= xmlSecDSigCtxEnableSignatureTransform(c, both[i]) == 0 &&
                xmlSecDSigCtxEnableReferenceTransform(c, both[i]) == 0;
    for (size_t i = 0; i < ARRAY_LENGTH(methods); i++)
        good &= xmlSecDSigCtxEnableSignatureTransform(c, methods[i]) == 0;
    for (size_t i = 0; i < ARRAY_LENGTH(sums); i++)
        good &= xmlSecDSigCtxEnableReferenceTransform(c, sums[i]) == 0;
    return good;
}

enum outcome { HOLDS, OTHER_CONTENT, OTHER_KEY };

static enum outcome outcome_of(const xmlSecDSigCtx *c, int result)
{
    xmlSecDSigCtx *any = (xmlSecDSigCtx *)(uintptr_t)c; /* xmlsec's lists know no const */
    if (xmlSecPtrListGetSize(&any->signedInfoReferences) != 1)
        return OTHER_KEY;
    const xmlSecDSigReferenceCtx *reference = xmlSecPtrListGetItem(&any->signedInfoReferences, 0);
    if (!reference || reference->status != xmlSecDSigStatusSucceeded)
        return OTHER_CONTENT;
    return result == 0 && c->status == xmlSecDSigStatusSucceeded ? HOLDS : OTHER_KEY;
}

static enum outcome check_with(xmlNode *signature, struct bytes certificate)
{
    const uint8_t *p = certificate.p;
    X509 *x = d2i_X509(NULL, &p, (long)certificate.n);
    xmlSecDSigCtx *c = x && p == certificate.p + certificate.n ? xmlSecDSigCtxCreate(NULL) : NULL;
    enum outcome outcome = OTHER_KEY;
    if (c && limit(c) && (c->signKey = xmlsig_key(X509_get0_pubkey(x))) != NULL)
        outcome = outcome_of(c, xmlSecDSigCtxVerify(c, signature));
    if (c)
        xmlSecDSigCtxDestroy(c);
    X509_free(x);
    return outcome;
}

static void put_certificate(struct wr *to, struct bytes der)
{
    wr_u32(to, der.n);
    wr_bytes(to, der);
}

static bool check_signature(xmlNode *signature, struct wr *to, struct error *why)
{
    struct wr octets = wr_of(0);
    struct bytes chain[NET_CHAIN_MAX];
    size_t count = 0, signer = 0;
    enum outcome outcome = OTHER_KEY;
    xmlNode *key_info;
    if (!is_plain(signature, &key_info))
        error_set(why, "it is not plainly of the whole document (one Reference with URI=\"\", enveloped, RSA or ECDSA "
                       "with SHA-2), or spelled oddly");
    else if (!take_certificates(key_info, &octets, chain, &count))
        error_set(why, "it carries no certificate that can be read, or too many");
    else
        error_set(why, "it is not made with the key of its certificate");
    /* In any order; the signer's is that whose key fits. */
    for (size_t i = 0; i < count && outcome == OTHER_KEY; i++) {
        outcome = check_with(signature, chain[i]);
        signer = i;
    }
    if (outcome == OTHER_CONTENT)
        error_set(why, "the tag was changed after it was signed");
    if (outcome == HOLDS)
        put_certificate(to, chain[signer]);
    for (size_t i = 0; outcome == HOLDS && i < count; i++)
        if (i != signer)
            put_certificate(to, chain[i]);
    wr_free(&octets);
    return outcome == HOLDS;
}

bool xmlsig_check(struct bytes xml, struct wr *certificates, struct error *why)
{
    xmlDoc *d = xmlsig_parse(xml, why);
    xmlNode *signature = d ? xmlsig_find(d, why) : NULL;
    bool good = signature && check_signature(signature, certificates, why);
    xmlFreeDoc(d);
    return good;
}
