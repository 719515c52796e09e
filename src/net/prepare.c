/* SASLprep: what keyboards and systems write differently becomes one text before it is compared or hashed. */
#include "net/net.h"

#include <string.h>
#include <stringprep.h>

enum { ROOM = 4096 }; /* one character of three octets can become 33 (U+FDFA) */

static bool is_ascii(struct bytes text)
{
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] < 0x20 || text.p[i] > 0x7e)
            return false;
    return true;
}

/* What is plain ASCII stays as it is, and never gets to the library. RFC 4013 §2.5: characters that Unicode 3.2 did not have yet are taken as
 * they are, also in what is stored: a password may well be of such. */
size_t net_saslprep(struct bytes text, uint8_t *out, size_t size)
{
    char room[ROOM];
    bool plain = is_ascii(text), done = text.n < ROOM / 16 && utf8_valid(text) && !(text.n && memchr(text.p, 0, text.n));
    if (text.n && done)
        memcpy(room, text.p, text.n);
    room[done ? text.n : 0] = 0;
    done = done && (plain || stringprep(room, sizeof room, 0, stringprep_saslprep) == STRINGPREP_OK);
    size_t n = done ? strlen(room) : 0;
    n = n <= size ? n : 0;
    memcpy(out, room, n);
    explicit_bzero(room, sizeof room);
    return n;
}
