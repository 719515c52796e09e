/* What layout.c and decode.c share; private to nea/. */
#ifndef MUSTER_NEA_DECODE_H
#define MUSTER_NEA_DECODE_H

#include "nea/internal.h"

/* What is being decoded. */
struct decode {
    struct json *json;
    struct arena arena; /* the fields of one attribute */
    struct seg seg;
    size_t held, faults;
    struct nea_fault first;
    size_t first_position;
    unsigned departed; /* bits 1 << departure of the item being printed */
    unsigned depth;    /* of values inside values */
    uint16_t sender;   /* identifier of the component whose message it is */
};

#define NOWHERE SIZE_MAX /* octets that do not lie in the input as they are: a reassembled attribute */

/* ---- layout.c: the values of messages ---- */

enum layer { IN_PT, IN_PB, IN_PB_ERROR, IN_REMEDIATION, IN_PA_ERROR };

/* The value of a message, or of what stands inside one. A name where the protocol's table has none. */
struct layout {
    uint8_t layer;
    uint32_t vendor, number;
    const struct field *fields;
    const char *name;
    const char *rule, *section; /* that a value breaks which is shorter than its fields: where the protocol's table does
                                   not check it */
};
/* NULL: nobody knows it. */
const struct layout *layout_find(enum layer layer, uint32_t vendor, uint32_t number);
/* Prints the fields of a value as far as it has them; *r is bad if it is too short. `base` is the place in the input of
 * the octet that *r counts as 0. */
void layout_json(struct decode *d, const struct layout *layout, struct rd *r, size_t base);
/* A value inside a value: its fields, or its octets where nobody knows them (layout NULL). False: it is shorter than
 * its fields. */
bool layout_json_inside(struct decode *d, const char *key, const struct layout *layout, struct bytes value);
/* Numbers that stand elsewhere than in a value of that table, with what they mean. */
extern const struct field layout_sasl_result, layout_pa_error, layout_assessment_result;
void layout_json_number(struct json *j, const struct field *f, uint64_t v);

/* ---- decode.c: what values may hold whole, into the object that is open ---- */

void decode_json_message(struct decode *d, struct bytes message, size_t base);
void decode_json_batch(struct decode *d, struct bytes batch, size_t base);

#endif
