/* Where to listen and whom to call, as people write it. */
#include "net/net.h"

#include <stdio.h>
#include <string.h>

static bool refuse(struct error *error, const char *text, enum net_address_use use, const char *why)
{
    error_set(error, "\"%s\": %s; give %s", text, why,
              use == NET_LISTEN ? "ADDRESS:PORT, [IPv6 ADDRESS]:PORT or PORT, of 1 to 65535, or 0 for any free one"
                                : "HOST, HOST:PORT or [IPv6 ADDRESS]:PORT, with a port of 1 to 65535");
    return false;
}

/* Both parts; p NULL: it has none. What is wrong with it, or NULL. */
static const char *split(const char *text, enum net_address_use use, struct bytes *host, struct bytes *port)
{
    struct bytes all = bytes_of(text), rest = all;
    *host = *port = (struct bytes){NULL, 0};
    if (all.n && all.p[0] == '[') {
        rest = bytes_from(all, 1);
        *host = bytes_split(&rest, ']');
        if (!rest.p || (rest.n && rest.p[0] != ':'))
            return "the brackets are not closed, or something stands behind them";
        if (rest.n)
            *port = bytes_from(rest, 1);
        return NULL;
    }
    *host = bytes_split(&rest, ':');
    if (rest.p && memchr(rest.p, ':', rest.n)) { /* where to listen could be taken for an address with a port */
        *host = all;
        return use == NET_LISTEN ? "an IPv6 address wants its brackets" : NULL;
    }
    *port = rest;
    if (use == NET_LISTEN && !rest.p && strspn(text, "0123456789") == all.n)
        *port = all, *host = rest;
    return NULL;
}

bool net_address_parse(const char *text, enum net_address_use use, struct net_address *a, struct error *error)
{
    struct bytes host, port;
    uint64_t number = a->port;
    const char *why = split(text, use, &host, &port);
    if (why)
        return refuse(error, text, use, why);
    if (host.p && !host.n)
        return refuse(error, text, use, "there is no host");
    if (host.n >= sizeof a->host)
        return refuse(error, text, use, "no host's name is so long");
    if (port.p && (!bytes_number(port, &number) || number > UINT16_MAX || (number == 0 && use == NET_CALL)))
        return refuse(error, text, use, "the port is none");
    if (host.n)
        snprintf(a->host, sizeof a->host, "%.*s", (int)host.n, (const char *)host.p);
    a->port = (uint16_t)number;
    return true;
}
