#include "swid/swid.h"

#include <string.h>

const struct swid_creator swid_default_creator = {"strongswan.org", "strongSwan Project"};

/* Octets are copied in runs: identifiers of a whole machine are made in one go, and almost no octet needs folding. */
static void put_folded(struct wr *w, struct bytes b)
{
    static const char folded[] = ":/?#[]@!$&'()*+,;=";
    size_t from = 0;
    for (size_t i = 0; i < b.n; i++) {
        if (b.p[i] == 0 || !memchr(folded, b.p[i], sizeof folded - 1))
            continue;
        wr_bytes(w, (struct bytes){b.p + from, i - from});
        wr_u8(w, '~');
        from = i + 1;
    }
    wr_bytes(w, (struct bytes){b.p + from, b.n - from});
}

static void put_product(struct wr *w, const struct swid_product *product)
{
    put_folded(w, product->os_name);
    if (product->os_version.n) {
        wr_u8(w, '_');
        put_folded(w, product->os_version);
    }
    wr_u8(w, '-');
    put_folded(w, product->machine);
    wr_u8(w, '-');
}

void swid_tag_id(struct wr *w, const struct swid_product *product, struct bytes package, struct bytes version)
{
    if (product->prefix.p)
        put_folded(w, product->prefix);
    else
        put_product(w, product);
    put_folded(w, package);
    wr_u8(w, '-');
    put_folded(w, version);
}

/* SWIMA-R90, RFC 8412 §6.1.2. */
void swid_software_id(struct wr *w, const struct swid_creator *creator, const struct swid_product *product, struct bytes package,
                      struct bytes version)
{
    wr_str(w, creator->regid);
    wr_str(w, "__");
    swid_tag_id(w, product, package, version);
}

bool swid_software_id_split(struct bytes software_id, struct bytes *regid, struct bytes *tag_id)
{
    for (size_t i = 0; i + 1 < software_id.n; i++) {
        if (software_id.p[i] != '_' || software_id.p[i + 1] != '_')
            continue;
        *regid = (struct bytes){software_id.p, i};
        *tag_id = (struct bytes){software_id.p + i + 2, software_id.n - i - 2};
        return true;
    }
    return false;
}
