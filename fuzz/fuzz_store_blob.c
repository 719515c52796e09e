/* The store's own blobs, as a damaged database would hand them out. What decodes is written again and must decode to
 * the same. Target functions: blob_get_members, blob_get_detail, blob_get_present and their writers. */
#include "store/blob.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same(bool good)
{
    if (!good)
        abort();
}

static void try_members(struct bytes blob, struct arena *a, struct wr *w)
{
    struct blob_members m, again;
    if (!blob_get_members(blob, a, &m))
        return;
    for (size_t i = 0; i < m.count; i++)
        if (m.software[i] < 0 || m.software[i] >> 61) /* no number that a database gives */
            return;
    same(blob_put_members(w, &m, a) && blob_get_members(wr_view(w), a, &again) && again.count == m.count);
    for (size_t i = 0; i < m.count; i++)
        same(m.software[i] == again.software[i] && m.actions[i] == again.actions[i] && m.order[i] == again.order[i]);
}

static void try_detail(struct bytes blob, struct arena *a, struct wr *w)
{
    struct rd r = rd_of(blob, 0);
    uint32_t eid = rd_u32(&r);
    int64_t time = rd_u32(&r);
    struct blob_detail d, again;
    if (!blob_get_detail(rd_rest(&r), a, eid, time, &d))
        return;
    for (size_t i = 0; i < d.count; i++)
        if (d.events[i].time != TIME_UNKNOWN && (d.events[i].time < -((int64_t)1 << 40) || d.events[i].time >> 40))
            return;
    same(blob_put_detail(w, &d, eid, time, a) && blob_get_detail(wr_view(w), a, eid, time, &again));
    same(again.count == d.count);
    for (size_t i = 0; i < d.count; i++)
        same(d.events[i].member == again.events[i].member && d.events[i].eid == again.events[i].eid &&
             d.events[i].time == again.events[i].time && d.events[i].source == again.events[i].source);
}

static void try_present(struct bytes blob, struct arena *a, struct wr *w)
{
    struct blob_present p, again;
    if (!blob_get_present(blob, a, &p) || (p.count && p.software[p.count - 1] >> 61))
        return;
    same(blob_put_present(w, &p, a) && blob_get_present(wr_view(w), a, &again) && again.count == p.count);
    for (size_t i = 0; i < p.count; i++)
        same(p.software[i] == again.software[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const kinds[])(struct bytes, struct arena *, struct wr *) = {try_members, try_detail, try_present};
    if (size == 0)
        return 0;
    struct arena a = arena_of((size_t)64 << 20);
    struct wr w = wr_of(0);
    kinds[data[0] % ARRAY_LENGTH(kinds)]((struct bytes){data + 1, size - 1}, &a, &w);
    wr_free(&w);
    arena_free(&a);
    return 0;
}
