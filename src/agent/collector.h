/* What the posture collectors and the assessment share; private to agent/. */
#ifndef MUSTER_AGENT_COLLECTOR_H
#define MUSTER_AGENT_COLLECTOR_H

#include "agent/agent.h"

/* For nea_component.accepts. */
#define PA_BIT(row) (UINT64_C(1) << PA_##row)

/* Appends `text` to the string in `kept`, cut to fit; on a line of its own if something stands there already. Whatever
 * is not UTF-8, and every control character but the line feed, becomes '?': a server cannot write escape sequences to
 * the user's terminal. */
void agent_keep_text(char *kept, size_t size, struct bytes text);

/* Notes the Assessment Results and Remediation Instructions of a message as those of the validator `name`. `verdict`
 * may be NULL. */
void agent_hear(struct agent_verdict *verdict, const char *name, const struct pa_message *message);
/* A new exchange begins: what that validator has said is no longer its word. */
void agent_unhear(struct agent_verdict *verdict, const char *name);

/* The record's SWID tag, written into *w (which is emptied first; at most 2 * SWID_TAG_MAX): valid until w changes. Empty
 * if there can be none. */
struct bytes agent_record_tag(struct wr *w, const struct journal_record *r);

/* Makes what stands in the Record fields of one answer, as the inventory's `tags` and `model` want it: at most `max` octets, or without files.
 * NULL: no memory. */
struct agent_records;
struct agent_records *agent_records_new(const struct agent_inventory *inventory, size_t max) MUST_USE;
/* Valid until the next one; empty if there can be none. *model: its data model (vendor 0). */
struct bytes agent_records_tag(struct agent_records *m, const struct journal_record *r, uint32_t *model);
/* From here on without files. False: that makes nothing smaller (m may be NULL). */
bool agent_records_go_plain(struct agent_records *m);
void agent_records_free(struct agent_records *m);

/* The collectors' session with the server whose certificate says `peer`; `stay`: it outlives the decision. NULL: no memory. */
struct nea_session *agent_session_new(const struct agent_assessment *a, struct bytes peer, bool stay,
                                      uint64_t now) MUST_USE;

/* What makes a session assess the server, too; valid as long as *server. And what came of it. */
const struct nea_mutual *agent_server_mutual(struct agent_server *server);
void agent_server_outcome(struct agent_server *server, const struct nea_outcome *outcome);

/* Where the server stands with whoever stays connected to it, in the exchange that is under way or was the last; fills *server in as
 * agent_server_outcome() does, with a reason if it fails. One that does not take part, or ends it without having told, fails. */
enum agent_standing { AGENT_SERVER_UNDECIDED, AGENT_SERVER_SATISFIES, AGENT_SERVER_FAILS };
enum agent_standing agent_server_standing(struct agent_server *server, const struct nea_session *s);

/* What /proc below ROOT says: last boot (as of `now`) and forwarding. */
void agent_posture_read_proc(const char *root, int64_t now, struct agent_posture *posture);

#endif
