#include "server/reasons.h"

static const char *const tags[LANGUAGES] = {[ENGLISH] = "en", [GERMAN] = "de"};

/* What is wrong with the endpoint's software for all this, whatever it did. */
#define CLIENT_EN "NEA Client\nPlease check that the NEA client of this machine is up to date; its log says more"
#define CLIENT_DE                                                                                                      \
    "NEA-Client\nBitte prüfen Sie, ob der NEA-Client dieses Geräts auf dem neuesten Stand ist; sein Protokoll sagt " \
    "mehr"
#define COLLECTOR_EN                                                                                                   \
    "Software Collector\nPlease check that this machine's software collector runs and can read the package database"
#define COLLECTOR_DE                                                                                                   \
    "Software-Sammler\nBitte prüfen Sie, ob der Software-Sammler dieses Geräts läuft und die Paketdatenbank lesen " \
    "kann"

/* PA-R42, PB-R62, RFC 5792 §4.2.10, RFC 5793 §4.10. */
static const struct reason_text texts[REASON_COUNT][LANGUAGES] = {
    [REASON_NONE] = {{"", NULL}, {"", NULL}},
    [REASON_FORWARDING] = {{"IP forwarding is enabled",
                            "IP Packet Forwarding\nPlease disable the forwarding of IP packets"},
                           {"die Weiterleitung von IP-Paketen ist eingeschaltet",
                            "Weiterleitung von IP-Paketen\nBitte schalten Sie die Weiterleitung von IP-Paketen ab"}},
    [REASON_FORWARDING_UNKNOWN] = {{"it is not known whether IP forwarding is enabled", NULL},
                                   {"es ist nicht bekannt, ob IP-Pakete weitergeleitet werden", NULL}},
    [REASON_DEFAULT_PASSWORD] = {{"a factory default password is in use",
                                  "Default Password Enabled\nPlease change the default password"},
                                 {"ein werkseitiges Kennwort ist in Gebrauch",
                                  "Werkseitiges Kennwort\nBitte ändern Sie das werkseitige Kennwort"}},
    [REASON_DEFAULT_PASSWORD_UNKNOWN] = {{"it is not known whether a factory default password is in use", NULL},
                                         {"es ist nicht bekannt, ob ein werkseitiges Kennwort in Gebrauch ist", NULL}},
    [REASON_FILES] = {{"files of installed packages are not as their reference tag says",
                       "Changed Files\nPlease find out why files of installed packages were changed, and install the "
                       "packages anew"},
                      {"Dateien installierter Pakete sind nicht so, wie ihre Referenz sagt",
                       "Veränderte Dateien\nBitte klären Sie, warum Dateien installierter Pakete verändert sind, und "
                       "installieren Sie die Pakete neu"}},

    [REASON_POSTURE_NOT_TOLD] = {{"the endpoint did not tell: ", CLIENT_EN},
                                 {"das Gerät hat nicht mitgeteilt: ", CLIENT_DE}},
    [REASON_POSTURE_WRONG] = {{"the endpoint told its posture wrongly", CLIENT_EN},
                              {"das Gerät hat seinen Zustand fehlerhaft mitgeteilt", CLIENT_DE}},

    [REASON_RETIRED] = {{"this endpoint has been retired",
                         "Retired Endpoint\nPlease ask the administrator if this machine is still to be used"},
                        {"dieses Gerät ist außer Dienst gestellt",
                         "Gerät außer Dienst\nBitte fragen Sie den Administrator, ob dieses Gerät noch genutzt werden "
                         "soll"}},
    [REASON_SOFTWARE_NOT_TOLD] = {{"the endpoint did not tell its software", COLLECTOR_EN},
                                  {"das Gerät hat seine Software nicht mitgeteilt", COLLECTOR_DE}},
    [REASON_SOFTWARE_REFUSED] = {{"the endpoint could not tell its software", COLLECTOR_EN},
                                 {"das Gerät konnte seine Software nicht mitteilen", COLLECTOR_DE}},
    [REASON_SOFTWARE_MALFORMED] = {{"the endpoint's software message was malformed", CLIENT_EN},
                                   {"die Nachricht des Geräts über seine Software ist fehlerhaft aufgebaut",
                                    CLIENT_DE}},
    [REASON_OTHER_TYPE] = {{"the endpoint answered with another type of response than was asked for", CLIENT_EN},
                           {"das Gerät hat mit einer anderen Art von Antwort geantwortet, als gefragt war", CLIENT_DE}},
    [REASON_OTHER_EVENTS] = {{"the endpoint consulted other events than were asked for", CLIENT_EN},
                             {"das Gerät hat andere Ereignisse herangezogen, als gefragt waren", CLIENT_DE}},
    [REASON_EVENT_OUT_OF_RANGE] = {{"the endpoint sent an event outside of the range asked for", CLIENT_EN},
                                   {"das Gerät hat ein Ereignis gesandt, nach dem nicht gefragt war", CLIENT_DE}},
    [REASON_EVENT_WITHOUT_IDENTIFIER] = {{"the endpoint sent an event without a usable software identifier", CLIENT_EN},
                                         {"das Gerät hat ein Ereignis ohne brauchbare Software-Kennung gesandt",
                                          CLIENT_DE}},
    [REASON_EVENTS_BREAK_OFF] = {{"the endpoint's list of events does not go on", CLIENT_EN},
                                 {"die Liste der Ereignisse des Geräts geht nicht weiter", CLIENT_DE}},
    [REASON_INVENTORY_TOO_LARGE] = {{"the endpoint sent a larger inventory than this server takes", NULL},
                                    {"das Gerät hat ein größeres Inventar gesandt, als dieser Server annimmt", NULL}},
    [REASON_RECORD_WITHOUT_IDENTIFIER] = {{"the endpoint sent a record without a usable software identifier",
                                           CLIENT_EN},
                                          {"das Gerät hat einen Eintrag ohne brauchbare Software-Kennung gesandt",
                                           CLIENT_DE}},

    [REASON_NO_DATABASE] = {{"the server cannot reach its database: try again later", NULL},
                            {"der Server erreicht seine Datenbank nicht: bitte später noch einmal", NULL}},
    [REASON_BUSY] = {{"the server is busy: try again later", NULL},
                     {"der Server ist ausgelastet: bitte später noch einmal", NULL}},
    [REASON_NOT_STORED] = {{"the server could not store the report: try again later", NULL},
                           {"der Server konnte den Bericht nicht speichern: bitte später noch einmal", NULL}},
};

const struct reason_text *reason_text(enum reason r, enum language l)
{
    return &texts[r][l];
}

const char *language_tag(enum language l)
{
    return tags[l];
}

/* A weight in thousandths: 1, 0.5, 0.333; 0 for what is none (RFC 9110 §12.4.2). */
static unsigned weight_of(struct bytes parameters)
{
    struct bytes b = bytes_trim(parameters);
    unsigned weight = 0, unit = 1000;
    if (!b.n)
        return 1000;
    if (b.n < 3 || (b.p[0] | 0x20) != 'q' || b.p[1] != '=')
        return 1000;
    for (size_t i = 2; i < b.n && i < 7; i++) {
        if (b.p[i] == '.')
            continue;
        if (b.p[i] < '0' || b.p[i] > '9')
            return 0;
        weight += (unsigned)(b.p[i] - '0') * unit;
        unit /= 10;
    }
    return weight;
}

/* "de" of "de-AT", whatever the case. */
static bool is_language(struct bytes range, const char *tag)
{
    struct bytes primary = bytes_split(&range, '-');
    return primary.n == 2 && (primary.p[0] | 0x20) == tag[0] && (primary.p[1] | 0x20) == tag[1];
}

/* PB-R49, R53, R62, RFC 5793 §4.10: the first of the most wanted ones; English for everybody else. */
enum language language_choose(struct bytes accept_language)
{
    struct bytes accept = accept_language;
    enum language best = ENGLISH;
    unsigned best_weight = 0;
    while (accept.n) {
        struct bytes parameters = bytes_split(&accept, ','), range = bytes_trim(bytes_split(&parameters, ';'));
        unsigned weight = weight_of(parameters);
        for (enum language l = ENGLISH; l < LANGUAGES; l++)
            if (weight > best_weight && is_language(range, tags[l])) {
                best = l;
                best_weight = weight;
            }
    }
    return best;
}
