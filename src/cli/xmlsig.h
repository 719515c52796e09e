/* XML signatures (W3C XML-Signature) of tags, which take xmlsec: made and checked by muster-xmlsig, a program of its
 * own. Private to cli/.
 *
 *   muster-xmlsig sign P12    its first question is the password, each of the others a tag; answers are the tag with
 * its signature muster-xmlsig verify      each question is a signed tag; the answer is the certificates that it
 * carries, the signer's first
 *
 * A question on standard input is its length (4 octets, big-endian) and its octets; its answer on standard output is 1
 * (done) or 0 (refused: what follows says why), a length and octets. Certificates are DER, each behind its length. The
 * end of input ends it. */
#ifndef MUSTER_CLI_XMLSIG_H
#define MUSTER_CLI_XMLSIG_H

#include "base/base.h"
#include "net/net.h"
#include "swid/swid.h"

enum { XMLSIG_ANSWER_MAX = SWID_READ_MAX + (1 << 20) }; /* a tag and its signature */

/* ---- muster's side ----------------------------------------------------------------------------------------------- */

struct xmlsig; /* the program that runs */
/* `p12` NULL: to verify. NULL: `error` says why. */
struct xmlsig *xmlsig_start(const char *p12, struct error *error) MUST_USE;
enum xmlsig_outcome { XMLSIG_DONE, XMLSIG_REFUSED, XMLSIG_GONE };
/* Appends the answer, all of it only if it is done. Refused, or the program is gone: `error` says why. */
enum xmlsig_outcome xmlsig_ask(struct xmlsig *x, struct bytes question, struct wr *answer,
                               struct error *error) MUST_USE;
void xmlsig_end(struct xmlsig *x); /* may be NULL */

/* ---- muster-xmlsig's own ----------------------------------------------------------------------------------------- */

typedef struct _xmlDoc *xmlsig_document; /* libxml2's */
/* Without document type, and hence without entities and anything external. NULL: `error` says why. */
xmlsig_document xmlsig_parse(struct bytes xml, struct error *error) MUST_USE;
/* The one ds:Signature, which must be a child of the root. NULL: `error` says why. */
struct _xmlNode *xmlsig_find(xmlsig_document d, struct error *error) MUST_USE;
/* xmlsec's key of an EVP_PKEY, which stays the caller's. NULL: none that XML signatures are made with. */
struct _xmlSecKey *xmlsig_key(struct evp_pkey_st *key) MUST_USE;
#define XMLSIG_DSIG      "http://www.w3.org/2000/09/xmldsig#"
#define XMLSIG_C14N      "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
#define XMLSIG_C14N11    "http://www.w3.org/2006/12/xml-c14n11"
#define XMLSIG_EXC_C14N  "http://www.w3.org/2001/10/xml-exc-c14n#"
#define XMLSIG_ENVELOPED XMLSIG_DSIG "enveloped-signature"
#define XMLSIG_SHA256    "http://www.w3.org/2001/04/xmlenc#sha256"
#define XMLSIG_MORE      "http://www.w3.org/2001/04/xmldsig-more#"

/* XML-Signature knows how to sign with such a key (not Ed25519). */
bool xmlsig_fits(const struct net_signer *signer);
/* Appends the tag with its signature, by a signer that fits: the octets as they are, ds:Signature before the root's
 * end. */
bool xmlsig_sign(const struct net_signer *signer, struct bytes xml, struct wr *to, struct error *error) MUST_USE;
/* The signature is of the whole document and holds; appends the certificates. False: `why`. */
bool xmlsig_check(struct bytes xml, struct wr *certificates, struct error *why) MUST_USE;
/* Must surround all of the above; silences both libraries. */
bool xmlsig_set_up(void) MUST_USE;
void xmlsig_shut_down(void);

#endif
