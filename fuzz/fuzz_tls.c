/* What a stranger may send before and instead of TLS: the server's side of the glue, fed in pieces whose size the first
 * octet says. The second octet picks the client's side. */
#include "net/private.h"

#include "../test/unit/certs.h"

#include <string.h>
#include <unistd.h>

static struct net_tls *sides[2];

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    char folder[] = "/tmp/muster-fuzz-XXXXXX", path[3][64];
    static const char *const names[] = {"ca.crt", "leaf.crt", "leaf.key"};
    struct cert ca = cert_make(NULL, "CA", NULL, -3600, 3600),
                leaf = cert_make(&ca, "leaf", "DNS:localhost", -3600, 3600);
    struct error error;
    (void)argc, (void)argv;
    if (!mkdtemp(folder))
        abort();
    cert_write(&ca, folder, "ca");
    cert_write(&leaf, folder, "leaf");
    for (int i = 0; i < 3; i++)
        snprintf(path[i], sizeof path[i], "%s/%s", folder, names[i]);
    for (int i = 0; i < 2; i++)
        if (!(sides[i] = net_tls_new(i == 0, path[0], path[1], path[2], &error)))
            abort();
    for (int i = 0; i < 3; i++)
        unlink(path[i]);
    snprintf(path[0], sizeof path[0], "%s/ca.key", folder);
    unlink(path[0]);
    rmdir(folder);
    cert_free(&ca);
    cert_free(&leaf);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t plain[PLAIN_SIZE];
    struct tls_engine e;
    struct error error;
    char name[256];
    size_t n;
    if (size < 2)
        return 0;
    size_t piece = data[0] ? (size_t)data[0] * 16 : 1;
    bool client = data[1] & 1;
    if (!engine_open(&e, sides[client], client ? "localhost" : NULL))
        abort();
    enum engine_status status = engine_handshake(&e);
    for (size_t at = 2; at < size && (status == ENGINE_WAIT || status == ENGINE_OK); at += piece) {
        e.in = (struct bytes){data + at, size - at < piece ? size - at : piece};
        status = SSL_is_init_finished(e.ssl) ? engine_read(&e, plain, sizeof plain, &n) : engine_handshake(&e);
        if (status == ENGINE_WAIT && e.in.n != 0)
            abort(); /* nothing of a turn may stay behind: the buffer is the loop's */
    }
    if (status == ENGINE_FAILED)
        engine_explain(&e, "the peer", "ca.crt", &error);
    engine_peer_name(&e, name);
    engine_shutdown(&e);
    engine_close(&e);
    return 0;
}
