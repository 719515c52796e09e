/* What muster assess and muster agent share: how this machine presents itself to a policy server; private to cli/. */
#ifndef MUSTER_CLI_ASSESS_H
#define MUSTER_CLI_ASSESS_H

#include "cli/local.h"
#include "cli/secret.h"
#include "net/net.h"

/* Of a PA-TNC message of ours: what a posture needs, and what a PB-TNC batch can carry. */
enum { MESSAGE_MIN = 512, MESSAGE_MAX = 1 << 30 };

/* Options that prepare_assessment() reads. */
/* clang-format off */
#define ASSESS_OPTIONS                                                                                                 \
    {"ca", "FILE", "the CA that the server's certificate must come from (PEM)"},                                       \
    {"cert", "FILE", "this machine's certificate (PEM)"},                                                              \
    {"key", "FILE", "the key of that certificate (PEM)"},                                                              \
    {"user", "NAME", "the name to log in by, where the server wants a login"},                                         \
    {"password-file", "FILE", "its password, the one line of FILE (\"-\": standard input)"},                           \
    {"max-message", "N", "send no PA-TNC message of more than N octets; larger ones are segmented",                    \
     MESSAGE_MIN, MESSAGE_MAX},                                                                                        \
    {"tags", "KIND", "the tags that the server asks for, plain or full: full ones tell every file with its SHA-256, which are "  \
     "kept in the state folder (default: plain)"},                                                                     \
    {"tag-format", "FORMAT", "what tags are written in: swid, swid2009, coswid (default: swid)"},                                         \
    {"language", "TAG", "in which the server shall explain itself (default: en)"},                                     \
    {"default-password", "yes|no", "whether a factory default password is in use, which nobody but you knows (default: no)"}
/* clang-format on */

struct prepared {
    int claim; /* of the state folder, -1: it is not claimed */
    struct agent_assessment a;
    struct net_address server;
    uint8_t user[NEA_LOGIN_TEXT_MAX];
    struct secret password;
    struct agent_posture posture;
    struct agent_inventory inventory;
    struct agent_tag_style tags;
    char cache[4200];
};
/* Reads the options, brings the journal up to date and opens it. EXIT_DONE; EXIT_UNKNOWN: a package database could not
 * be read, the journal tells what was known before. `stays`: an agent, which wants the state folder for itself. Else it was said what is wrong. Ends with prepared_free() in any
 * case. */
int prepare_assessment(struct cli *cli, bool stays, struct prepared *p);
/* What an agent's status means; EXIT_DONE: it went to its end. */
int assessment_exit(enum agent_status status);
void prepared_free(struct prepared *p);

#endif
