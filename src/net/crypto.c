/* The few primitives that protocol rooms ask their hosts for. */
#include "net/private.h"

#include <limits.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

bool net_sha256(struct bytes text, uint8_t out[32])
{
    return EVP_Digest(text.p, text.n, out, NULL, EVP_sha256(), NULL) == 1;
}

bool net_hmac_sha256(struct bytes key, struct bytes text, uint8_t out[32])
{
    return key.n <= INT_MAX && HMAC(EVP_sha256(), key.p, (int)key.n, text.p, text.n, out, NULL) != NULL;
}

bool net_pbkdf2_sha256(struct bytes password, struct bytes salt, uint32_t iterations, uint8_t out[32])
{
    return password.n <= INT_MAX && salt.n <= INT_MAX && iterations <= INT_MAX &&
           PKCS5_PBKDF2_HMAC((const char *)password.p, (int)password.n, salt.p, (int)salt.n, (int)iterations,
                             EVP_sha256(), 32, out) == 1;
}

bool net_random(uint8_t *p, size_t n)
{
    return n <= INT_MAX && RAND_bytes(p, (int)n) == 1;
}
