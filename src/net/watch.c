/* Watching a file or folder: inotify through libuv, no polling. */
#include "net/private.h"

#include <stdlib.h>

struct net_watch {
    uv_fs_event_t event; /* first: its address is the allocation's */
    void (*run)(void *argument);
    void *argument;
};

static void on_event(uv_fs_event_t *event, const char *name, int events, int status)
{
    struct net_watch *w = (struct net_watch *)event;
    (void)name, (void)events, (void)status; /* a failure (a full queue, say) may stand for changes */
    w->run(w->argument);
}

struct net_watch *net_watch_start(struct net_loop *l, const char *path, void (*run)(void *argument), void *argument)
{
    struct net_watch *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    w->run = run;
    w->argument = argument;
    uv_fs_event_init(&l->uv, &w->event);
    if (uv_fs_event_start(&w->event, on_event, path, 0) == 0)
        return w;
    net_watch_stop(w);
    return NULL;
}

void net_watch_stop(struct net_watch *w)
{
    if (w)
        uv_close((uv_handle_t *)&w->event, (uv_close_cb)free);
}
