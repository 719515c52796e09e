/* Watching a file or folder: inotify through libuv, no polling. */
#include "net/private.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

struct net_watch {
    uv_fs_event_t event; /* first: its address is the allocation's */
    bool way;
    void (*run)(void *argument);
    void *argument;
};

/* Programs write beside what matters: logs, for instance. */
static bool is_file(uv_fs_event_t *event, const char *name)
{
    char path[PATH_MAX + NAME_MAX + 2];
    size_t n = PATH_MAX;
    struct stat st;
    if (!name || uv_fs_event_getpath(event, path, &n) != 0)
        return false;
    snprintf(path + n, sizeof path - n, "/%s", name);
    return lstat(path, &st) == 0 && !S_ISDIR(st.st_mode);
}

static void on_event(uv_fs_event_t *event, const char *name, int events, int status)
{
    struct net_watch *w = (struct net_watch *)event;
    bool failed = status != 0; /* a full queue, say: it may stand for changes */
    if (failed || !w->way || ((events & UV_RENAME) && !is_file(event, name)))
        w->run(w->argument);
}

struct net_watch *net_watch_start(struct net_loop *l, const char *path, bool way, void (*run)(void *argument), void *argument)
{
    struct net_watch *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    w->way = way;
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
