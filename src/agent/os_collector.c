/* The Operating System collector: tells its seven attributes at the beginning of each handshake, repeats
 * what is asked for, and tells settings by name and the packages where it is asked for them. */
#include "agent/collector.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME "OS"

/* One connection's collector: the attributes of an exchange, and the order in which they go out. */
struct os_state {
    struct nea_connection *connection;
    const struct agent_posture *given, *posture; /* the latter is what is told: that one, or */
    struct agent_posture read;
    struct pa_product_information product;
    struct pa_string_version string_version;
    struct pa_numeric_version numeric_version;
    struct pa_operational_status status;
    struct pa_forwarding_enabled forwarding;
    struct pa_factory_default_password password;
    struct pa_device_id device_id;
    char name[64], version[130], last_boot[TIME_TEXT], device[65];
    struct pa_out out[16];
    size_t count;
};
_Static_assert(sizeof((struct os_state *)0)->version <= UINT8_MAX, "a String Version's length is one octet");

/* Who creates the product named by os-release's ID; everybody else is vendor 0, with the name to tell (RFC 5792
 * §4.2.2). */
static uint32_t vendor_of(const char *id)
{
    static const struct {
        const char *id;
        uint32_t pen;
    } vendors[] = {
        {"debian", PEN_DEBIAN}, {"ubuntu", PEN_CANONICAL}, {"fedora", PEN_FEDORA},
        {"rhel", PEN_REDHAT},   {"redhat", PEN_REDHAT},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(vendors); i++)
        if (strcmp(id, vendors[i].id) == 0)
            return vendors[i].pen;
    return PEN_IETF;
}

/* The decimal number at the beginning of *p, which moves behind it; 0 if there is none, the largest one if it is
 * larger. */
static uint32_t leading_number(const char **p)
{
    uint64_t n = 0;
    for (; **p >= '0' && **p <= '9'; ++*p)
        n = n > UINT32_MAX ? n : n * 10 + (uint64_t)(**p - '0');
    return n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

/* "20.04" is 20 and 4, "12" is 12 and 0, "" is 0 and 0. */
static struct pa_numeric_version numeric_version(const char *version)
{
    struct pa_numeric_version n = {.major_version = leading_number(&version)};
    const char *dot = strchr(version, '.');
    if (dot && ++dot)
        n.minor_version = leading_number(&dot);
    return n;
}

static void tell(struct os_state *s, enum pa_row row, const void *fields)
{
    if (s->count == ARRAY_LENGTH(s->out))
        bug("the OS collector tells more than it has room for");
    s->out[s->count++] = (struct pa_out){.type = &pa_types[row], .fields = fields};
}

static void fill_in(struct os_state *s)
{
    const struct agent_posture *p = s->posture;
    enum { OPERATIONAL = 3, SUCCESSFUL = 1 }; /* RFC 5792 §4.2.5 */
    char version[sizeof s->version];
    snprintf(version, sizeof version, "%s%s%s", p->platform.version, p->platform.version[0] ? " " : "",
             p->platform.machine);
    s->version[0] = s->name[0] = 0;
    agent_keep_text(s->version, sizeof s->version, bytes_of(version)); /* SWIMA-R95: UTF-8, whatever
                                                                         os-release holds */
    agent_keep_text(s->name, sizeof s->name, bytes_of(p->platform.name));
    snprintf(s->device, sizeof s->device, "%s", p->device_id);
    time_format(p->last_boot, s->last_boot); /* unknown prints as the reserved time that §4.2.5 wants */
    s->product = (struct pa_product_information){.vendor_id = vendor_of(p->platform.id), .name = bytes_of(s->name)};
    s->string_version = (struct pa_string_version){.version = bytes_of(s->version)};
    s->numeric_version = numeric_version(p->platform.version);
    s->status =
        (struct pa_operational_status){.status = OPERATIONAL, .result = SUCCESSFUL, .last_use = bytes_of(s->last_boot)};
    s->forwarding.value = p->forwarding;
    s->password.value = p->default_password;
    s->device_id.id = bytes_of(s->device);

    s->count = 0;
    /* PA-R54, RFC 5792 §4.2: at least product and version. strongSwan's order, so that whoever compares messages finds them alike. */
    tell(s, PA_PRODUCT_INFORMATION, &s->product);
    tell(s, PA_STRING_VERSION, &s->string_version);
    tell(s, PA_NUMERIC_VERSION, &s->numeric_version);
    tell(s, PA_OPERATIONAL_STATUS, &s->status);
    tell(s, PA_FORWARDING_ENABLED, &s->forwarding);
    tell(s, PA_FACTORY_DEFAULT_PASSWORD, &s->password);
    if (s->device[0]) /* who has no device ID does not send an empty one */
        tell(s, PA_DEVICE_ID, &s->device_id);
}

static void *create(void *context, struct nea_connection *c)
{
    struct os_state *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->connection = c;
    s->given = s->posture = context;
    fill_in(s);
    return s;
}

/* A connection may stay for months: what was true when it began is no posture. */
static void look_again(struct os_state *s)
{
    const struct agent_posture *given = s->given;
    if (!given->root)
        return;
    agent_posture_read(given->root, &s->read);
    s->read.default_password = given->default_password;
    s->read.inventory = given->inventory;
    s->posture = &s->read;
}

static void begin_handshake(void *state)
{
    struct os_state *s = state;
    look_again(s);
    fill_in(s);
    agent_unhear(s->given->heard, NAME);
    nea_send(s->connection, NEA_ANY, s->out, s->count);
}

/* True if an Attribute Request of the message names the type. */
static bool is_asked(const struct pa_message *m, const struct pa_type *type)
{
    for (size_t i = 0; i < m->count; i++) {
        if (m->attributes[i].type != &pa_types[PA_ATTRIBUTE_REQUEST])
            continue;
        const struct pa_attribute_request *request = m->attributes[i].fields;
        struct bytes rest = request->attributes.raw;
        struct pa_attribute_request_item item;
        while (pa_list_next(m->attributes[i].type, &rest, &item))
            if (item.vendor == type->vendor && item.number == type->number)
                return true;
    }
    return false;
}

/* ---- settings ---- */

static const char *forwarding_of(const struct agent_posture *p)
{
    static const char *const names[] = {"0", "1"};
    return p->forwarding < ARRAY_LENGTH(names) ? names[p->forwarding] : "";
}

/* What Get Settings may ask for: all that the attributes above tell already, and nothing else. A name is never a path: strongSwan's
 * collector hands out files below /etc, /proc, /sys and /var by their names, this one opens nothing for a server. */
static const struct setting {
    const char *name;
    size_t at;                                         /* a text of the posture, or */
    const char *(*value)(const struct agent_posture *); /* what makes it; "" is not told */
} settings[] = {
    {"os.id", offsetof(struct agent_posture, platform.id), NULL},
    {"os.name", offsetof(struct agent_posture, platform.name), NULL},
    {"os.version", offsetof(struct agent_posture, platform.version), NULL},
    {"os.pretty_name", offsetof(struct agent_posture, platform.pretty), NULL},
    {"os.machine", offsetof(struct agent_posture, platform.machine), NULL},
    {"net.forwarding", 0, forwarding_of},
};

static bool names_setting(const struct pa_message *m, const char *name)
{
    for (size_t i = 0; i < m->count; i++) {
        if (m->attributes[i].type != &pa_types[PA_ITA_GET_SETTINGS])
            continue;
        const struct pa_ita_get_settings *request = m->attributes[i].fields;
        struct bytes rest = request->settings.raw;
        struct pa_ita_get_settings_item item;
        while (pa_list_next(m->attributes[i].type, &rest, &item))
            if (bytes_equal(item.name, bytes_of(name)))
                return true;
    }
    return false;
}

/* ---- what is told only where it is asked for ---- */

/* An answer being made: `w` holds what the fields' lists look at. */
struct answer {
    const struct os_state *s;
    const struct pa_message *message;
    struct wr w;
    union {
        struct pa_ita_settings settings;
        struct pa_installed_packages packages;
    } fields;
};

/* Those of the table that the message names, each once, however often it does. */
static bool put_settings(struct answer *a)
{
    struct pa_list *list = &a->fields.settings.settings;
    for (size_t i = 0; i < ARRAY_LENGTH(settings); i++) {
        const struct setting *x = &settings[i];
        const struct agent_posture *p = a->s->posture;
        char text[256] = "";
        agent_keep_text(text, sizeof text, bytes_of(x->value ? x->value(p) : (const char *)p + x->at));
        if (!text[0] || !names_setting(a->message, x->name))
            continue;
        pa_item_put(&a->w, &pa_types[PA_ITA_SETTINGS],
                    &(struct pa_ita_settings_item){.name = bytes_of(x->name), .value = bytes_of(text)});
        list->count++;
    }
    list->raw = wr_view(&a->w);
    return list->count > 0;
}

/* PA-R49, RFC 5792 §4.2.7: a name or a version of more than 255 octets cannot be said, nor can one with NUL. */
static bool take_package(void *context, const struct journal_record *r)
{
    struct answer *a = context;
    const struct pa_installed_packages_item item = {.name = r->name, .version = r->version};
    if (r->name.n <= UINT8_MAX && r->version.n <= UINT8_MAX) {
        pa_item_put(&a->w, &pa_types[PA_INSTALLED_PACKAGES], &item);
        a->fields.packages.packages.count++;
    }
    return a->fields.packages.packages.count <= UINT16_MAX;
}

/* PA-R33, RFC 5792 §4.2.7: all that is installed; nothing where it is not known or does not fit. */
static bool put_packages(struct answer *a)
{
    enum { HEADERS = 8 + 12 + 4 };
    struct error error;
    struct pa_list *list = &a->fields.packages.packages;
    const struct agent_inventory *inventory = a->s->posture->inventory;
    if (!is_asked(a->message, &pa_types[PA_INSTALLED_PACKAGES]) || !inventory ||
        journal_each_record(inventory->journal, JOURNAL_INSTALLED, TIME_UNKNOWN, take_package, a, &error) != JOURNAL_OK)
        return false;
    list->raw = wr_view(&a->w);
    return list->count <= UINT16_MAX && a->w.n + HEADERS <= nea_max_message(a->s->connection);
}

/* A row an attribute; `put` makes its fields, false: nobody asked, or it cannot be told. */
static const struct {
    size_t type;
    bool (*put)(struct answer *a);
} on_request[] = {
    {PA_ITA_SETTINGS, put_settings},
    {PA_INSTALLED_PACKAGES, put_packages},
};

/* ---- the component ---- */

static void receive(void *state, const struct nea_delivery *delivery)
{
    struct os_state *s = state;
    struct pa_out out[ARRAY_LENGTH(s->out) + ARRAY_LENGTH(on_request)];
    struct answer answers[ARRAY_LENGTH(on_request)];
    size_t count = 0;
    agent_hear(s->given->heard, NAME, delivery->message);
    /* Only what is asked for, once, and of that what we know; nothing to say is no message (PA-R24, RFC 5792
     * §4.2.1). */
    for (size_t i = 0; i < s->count; i++)
        if (is_asked(delivery->message, s->out[i].type))
            out[count++] = s->out[i];
    for (size_t i = 0; i < ARRAY_LENGTH(on_request); i++) {
        answers[i] = (struct answer){.s = s, .message = delivery->message, .w = wr_of(0)};
        if (on_request[i].put(&answers[i]) && !answers[i].w.bad)
            out[count++] = (struct pa_out){.type = &pa_types[on_request[i].type], .fields = &answers[i].fields};
    }
    if (count)
        nea_send(s->connection, delivery->from, out, count);
    for (size_t i = 0; i < ARRAY_LENGTH(on_request); i++)
        wr_free(&answers[i].w);
}

const struct nea_component agent_os_collector = {
    .name = NAME,
    .vendor = PEN_IETF,
    .subtype = PA_SUBTYPE_OPERATING_SYSTEM, /* PA-R4, RFC 5792 §3.5: of vendor 0 */
    .accepts = PA_BIT(ATTRIBUTE_REQUEST) | PA_BIT(ITA_GET_SETTINGS) | PA_BIT(ASSESSMENT_RESULT) | PA_BIT(REMEDIATION_INSTRUCTIONS) | PA_BIT(ERROR),
    .create = create,
    .begin_handshake = begin_handshake,
    .receive = receive,
    .destroy = free,
};
