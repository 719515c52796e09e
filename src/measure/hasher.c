#include "measure/measure.h"

#include <openssl/evp.h>
#include <stdlib.h>

static const struct {
    enum measure_hash hash;
    size_t at, size; /* in the digests */
    const char *name;
} hashes[] = {
    {MEASURE_SHA256, 0, 32, "SHA256"},
    {MEASURE_SHA384, 32, 48, "SHA384"},
    {MEASURE_SHA512, 80, 64, "SHA512"},
    {MEASURE_MD5, 144, 16, "MD5"},
    {MEASURE_SHA1, 160, 20, "SHA1"},
};
#define HASHES ARRAY_LENGTH(hashes)

struct measure_hasher {
    unsigned hashes;
    bool failed;
    EVP_MD *methods[HASHES];
    EVP_MD_CTX *contexts[HASHES];
};

struct bytes measured_digest(const struct measured *m, enum measure_hash hash)
{
    for (size_t i = 0; i < HASHES; i++)
        if (hashes[i].hash == hash && m->hashes & hash)
            return (struct bytes){m->digests + hashes[i].at, hashes[i].size};
    return (struct bytes){0};
}

struct measure_hasher *measure_hasher_new(unsigned wanted)
{
    struct measure_hasher *h = calloc(1, sizeof *h);
    bool good = h != NULL;
    for (size_t i = 0; good && i < HASHES; i++)
        if (wanted & hashes[i].hash) {
            h->hashes |= hashes[i].hash;
            h->methods[i] = EVP_MD_fetch(NULL, hashes[i].name, NULL);
            h->contexts[i] = EVP_MD_CTX_new();
            good = h->methods[i] && h->contexts[i];
        }
    if (good)
        return h;
    measure_hasher_free(h);
    return NULL;
}

void measure_hasher_free(struct measure_hasher *h)
{
    if (!h)
        return;
    for (size_t i = 0; i < HASHES; i++) {
        EVP_MD_CTX_free(h->contexts[i]);
        EVP_MD_free(h->methods[i]);
    }
    free(h);
}

void measure_hasher_begin(struct measure_hasher *h)
{
    h->failed = false;
    for (size_t i = 0; i < HASHES; i++)
        if (h->contexts[i] && !EVP_DigestInit_ex2(h->contexts[i], h->methods[i], NULL))
            h->failed = true;
}

void measure_hasher_add(struct measure_hasher *h, struct bytes octets)
{
    for (size_t i = 0; i < HASHES; i++)
        if (h->contexts[i] && !EVP_DigestUpdate(h->contexts[i], octets.p, octets.n))
            h->failed = true;
}

bool measure_hasher_end(struct measure_hasher *h, struct measured *m)
{
    for (size_t i = 0; i < HASHES; i++)
        if (h->contexts[i] && !EVP_DigestFinal_ex(h->contexts[i], m->digests + hashes[i].at, NULL))
            h->failed = true;
    m->hashes = h->failed ? 0 : h->hashes;
    return !h->failed;
}
