/* Makes an XML signature of a tag: swidGenerator's, but that all of the document is covered, namespaces that no element
 * uses, too (its exclusive canonicalisation leaves those out). */
#include "cli/xmlsig.h"

#include <libxml/tree.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <xmlsec/xmlsec.h>

#include <xmlsec/xmldsig.h>
#include <xmlsec/xmltree.h>

/* NULL: XML-Signature has no such algorithm. */
static const char *method_of(const struct net_signer *signer)
{
    static const struct {
        enum net_algorithm algorithm;
        const char *method;
    } rows[] = {
        {NET_PS256, XMLSIG_MORE "rsa-sha256"},
        {NET_ES256, XMLSIG_MORE "ecdsa-sha256"},
        {NET_ES384, XMLSIG_MORE "ecdsa-sha384"},
        {NET_ES512, XMLSIG_MORE "ecdsa-sha512"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        if (rows[i].algorithm == net_signer_algorithm(signer))
            return rows[i].method;
    return NULL;
}

bool xmlsig_fits(const struct net_signer *signer)
{
    return method_of(signer) != NULL;
}

static void put_base64(struct wr *w, struct bytes octets)
{
    uint8_t *text = malloc(octets.n / 3 * 4 + 8);
    int n = text ? EVP_EncodeBlock(text, octets.p, (int)octets.n) : 0;
    w->bad |= !text;
    wr_bytes(w, (struct bytes){text, (size_t)n});
    free(text);
}

/* `digest` and `value` are empty in what xmlsec is to fill. */
static void put_signature(struct wr *w, const struct net_signer *signer, const char *digest, const char *value)
{
    struct bytes chain[NET_CHAIN_MAX];
    size_t count = net_signer_chain(signer, chain);
    wr_fmt(w,
           "<dsig:Signature xmlns:dsig=\"" XMLSIG_DSIG "\"><dsig:SignedInfo>"
           "<dsig:CanonicalizationMethod Algorithm=\"" XMLSIG_C14N11 "\"/><dsig:SignatureMethod Algorithm=\"%s\"/>"
           "<dsig:Reference URI=\"\"><dsig:Transforms><dsig:Transform Algorithm=\"" XMLSIG_ENVELOPED "\"/>"
           "<dsig:Transform Algorithm=\"" XMLSIG_C14N11
           "\"/></dsig:Transforms><dsig:DigestMethod Algorithm=\"" XMLSIG_SHA256 "\"/>"
           "<dsig:DigestValue>%s</dsig:DigestValue></dsig:Reference></dsig:SignedInfo><dsig:SignatureValue>",
           method_of(signer), digest);
    for (const char *p = value; *p; p++) /* xmlsec breaks lines */
        if (*p != '\n' && *p != '\r')
            wr_u8(w, (uint8_t)*p);
    wr_str(w, "</dsig:SignatureValue><dsig:KeyInfo><dsig:X509Data>");
    for (size_t i = 0; *value && i < count; i++) {
        wr_str(w, "<dsig:X509Certificate>");
        put_base64(w, chain[i]);
        wr_str(w, "</dsig:X509Certificate>");
    }
    wr_str(w, "</dsig:X509Data></dsig:KeyInfo></dsig:Signature>");
}

static void put_tag(struct wr *w, const struct net_signer *signer, struct bytes xml, size_t at, const char *digest,
                    const char *value)
{
    wr_bytes(w, (struct bytes){xml.p, at});
    put_signature(w, signer, digest, value);
    wr_bytes(w, (struct bytes){xml.p + at, xml.n - at});
}

/* Where the root ends; whether it is the root is seen once it is parsed. */
static size_t end_of_root(struct bytes xml)
{
    size_t at = xml.n;
    while (at > 0 && !(xml.n - at >= 2 && xml.p[at] == '<' && xml.p[at + 1] == '/'))
        at--;
    return at;
}

static xmlChar *text_of(const xmlNode *signature, const char *element)
{
    xmlNode *n = xmlSecFindNode((xmlNode *)(uintptr_t)signature, BAD_CAST element, BAD_CAST XMLSIG_DSIG);
    return n ? xmlNodeGetContent(n) : NULL;
}

static bool sign_with(xmlSecDSigCtx *c, xmlNode *signature, const struct net_signer *signer)
{
    c->signKey = xmlsig_key(net_signer_key(signer));
    return c->signKey && xmlSecDSigCtxSign(c, signature) == 0 && c->status == xmlSecDSigStatusSucceeded;
}

bool xmlsig_sign(const struct net_signer *signer, struct bytes xml, struct wr *to, struct error *error)
{
    size_t at = end_of_root(xml);
    struct wr asked = wr_of(XMLSIG_ANSWER_MAX);
    put_tag(&asked, signer, xml, at, "", "");
    xmlDoc *d = asked.bad ? NULL : xmlsig_parse(wr_view(&asked), error);
    xmlNode *signature = d ? xmlsig_find(d, error) : NULL;
    xmlSecDSigCtx *c = signature && !signature->next ? xmlSecDSigCtxCreate(NULL) : NULL;
    bool good = c && sign_with(c, signature, signer);
    xmlChar *digest = good ? text_of(signature, "DigestValue") : NULL,
            *value = good ? text_of(signature, "SignatureValue") : NULL;
    if (signature && !good)
        error_set(error, signature->next ? "it is no tag" : "its key cannot make the signature");
    good = digest && value;
    if (good)
        put_tag(to, signer, xml, at, (const char *)digest, (const char *)value);
    xmlFree(digest);
    xmlFree(value);
    if (c)
        xmlSecDSigCtxDestroy(c);
    xmlFreeDoc(d);
    wr_free(&asked);
    return good && !to->bad;
}
