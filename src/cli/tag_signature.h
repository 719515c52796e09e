/* Signatures of tags: XML-Signature of SWID (by muster-xmlsig), COSE_Sign1 of CoSWID. Private to cli/. */
#ifndef MUSTER_CLI_TAG_SIGNATURE_H
#define MUSTER_CLI_TAG_SIGNATURE_H

#include "cli/cli.h"
#include "net/net.h"

/* clang-format off */
#define TAG_SIGN_OPTIONS                                                                                               \
    {"sign", "P12", "sign each tag with the key in this PKCS #12 file: XML-Signature, CoSWID with COSE_Sign1"},        \
    {"password-file", "FILE", "where the password of --sign stands, one line (-: standard input)"}
/* clang-format on */

struct tag_signer; /* a key, and what signs with it */
/* What --sign asks for; *signer NULL without. EXIT_DONE, or what was said. */
int tag_signer_open(struct cli *cli, bool coswid, struct tag_signer **signer);
/* Appends the tag with its signature. */
bool tag_signer_sign(struct tag_signer *s, struct bytes tag, struct wr *to, struct error *error) MUST_USE;
void tag_signer_close(struct tag_signer *s); /* may be NULL */

enum tag_signature_state {
    TAG_UNSIGNED,
    TAG_SIGNED,      /* the signature is of this tag and by the key of `signer`'s certificate */
    TAG_BROKEN,      /* it is not, or not of all of the tag: `why` */
    TAG_UNCHECKABLE, /* nobody can tell here: `why` */
};
struct tag_signature {
    enum tag_signature_state state;
    bool trusted;     /* TAG_SIGNED: its certificate leads to a trusted one, now; else `why` */
    char signer[512]; /* TAG_SIGNED: the certificate's subject, RFC 4514; cut off if longer. Nobody but a trusted issuer vouches for it */
    struct error why;
};
/* "unsigned", "signed", "broken", "unknown" */
const char *tag_signature_word(enum tag_signature_state state);
/* `is_signed`: what reading the tag found (struct swid_sink). `trust` may be NULL. */
void tag_signature_check(struct bytes tag, bool is_signed, const struct net_trust *trust, struct tag_signature *s);

/* The same for a server: one check at a time, whichever threads ask. */
struct tag_judge;
/* `trust`: a file of certificates in PEM, read anew whenever it has changed; the name must stay. NULL: `error` says why. */
struct tag_judge *tag_judge_new(const char *trust, struct error *error) MUST_USE;
void tag_judge_free(struct tag_judge *j); /* may be NULL */
/* As struct server_trust has it; `context` is the judge. */
bool tag_judge_signed_by(void *context, struct bytes tag, struct wr *who);

#endif
