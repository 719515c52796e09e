/* A PostgreSQL of the test's own: made in a temporary folder with Debian's programs, listening only on a socket in it,
 * gone with the test. */
#ifndef MUSTER_TEST_PG_CLUSTER_H
#define MUSTER_TEST_PG_CLUSTER_H

#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct pg_cluster {
    char folder[40]; /* short: a socket's path has 107 octets */
    char programs[64];
    pid_t server;
};

/* "/usr/lib/postgresql/15/bin", or "" if there is none. */
static inline void pg_find_programs(struct pg_cluster *c)
{
    char path[96];
    for (int version = 30; version >= 13; version--) {
        snprintf(c->programs, sizeof c->programs, "/usr/lib/postgresql/%d/bin", version);
        snprintf(path, sizeof path, "%s/initdb", c->programs);
        if (access(path, X_OK) == 0)
            return;
    }
    c->programs[0] = 0;
}

/* Starts argv[0], a program of PostgreSQL, which refuses to be root, with its output in FOLDER/log. */
static inline pid_t pg_spawn(const struct pg_cluster *c, char *argv[])
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    char path[160];
    const struct passwd *user = getuid() == 0 ? getpwnam("postgres") : NULL;
    if (user && (setgroups(0, NULL) < 0 || setgid(user->pw_gid) < 0 || setuid(user->pw_uid) < 0))
        _exit(126);
    prctl(PR_SET_PDEATHSIG, SIGQUIT); /* a test that dies takes it along */
    snprintf(path, sizeof path, "%s/log", c->folder);
    int log = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600), nothing = open("/dev/null", O_RDONLY);
    dup2(nothing, 0);
    dup2(log, 1);
    dup2(log, 2);
    for (int fd = 3; fd < 64; fd++)
        close(fd);
    if (chdir(c->folder) < 0)
        _exit(126);
    static char *const environment[] = {"PATH=/usr/bin:/bin", "LANG=C", "LC_ALL=C", "TZ=UTC", NULL};
    snprintf(path, sizeof path, "%s/%s", c->programs, argv[0]);
    argv[0] = path; /* where they look for each other */
    execve(path, argv, environment);
    _exit(127);
}

static inline void pg_url(const struct pg_cluster *c, const char *database, char *url, size_t size)
{
    snprintf(url, size, "postgresql:///%s?host=%s&user=muster", database, c->folder);
}

static inline bool pg_start_server(struct pg_cluster *c)
{
    char data[64], url[160];
    snprintf(data, sizeof data, "%s/data", c->folder);
    char *argv[] = {"postgres",
                    "-D",
                    data,
                    "-k",
                    c->folder,
                    "-c",
                    "listen_addresses=",
                    "-c",
                    "fsync=off",
                    "-c",
                    "max_connections=40",
                    "-c",
                    "deadlock_timeout=200ms",
                    NULL};
    c->server = pg_spawn(c, argv);
    pg_url(c, "postgres", url, sizeof url);
    for (int attempt = 0; attempt < 600; attempt++) {
        bool up = PQping(url) == PQPING_OK;
        if (up || waitpid(c->server, NULL, WNOHANG) != 0)
            return up;
        usleep(50000);
    }
    return false;
}

/* How: SIGTERM waits for clients, SIGINT ends their transactions, SIGQUIT is a crash. */
static inline void pg_stop_server(struct pg_cluster *c, int how)
{
    if (c->server > 0) {
        kill(c->server, how);
        waitpid(c->server, NULL, 0);
    }
    c->server = 0;
}

/* False, with a message, if PostgreSQL is not installed. One that is and does not start ends the test. */
static inline bool pg_start(struct pg_cluster *c)
{
    char data[64];
    pg_find_programs(c);
    if (!c->programs[0]) {
        printf("PostgreSQL is not installed (package postgresql): its tests are skipped\n");
        return false;
    }
    snprintf(c->folder, sizeof c->folder, "/tmp/muster-pg-XXXXXX");
    const struct passwd *user = getuid() == 0 ? getpwnam("postgres") : NULL;
    if (!mkdtemp(c->folder) || (user && chown(c->folder, user->pw_uid, user->pw_gid) < 0))
        return false;
    snprintf(data, sizeof data, "%s/data", c->folder);
    char *argv[] = {"initdb", "-D", data, "-A", "trust", "-U", "muster", "-E", "UTF8", "--locale=C", "--no-sync", NULL};
    int result = -1;
    pid_t pid = pg_spawn(c, argv);
    if (pid < 0 || waitpid(pid, &result, 0) != pid || result != 0 || !pg_start_server(c)) {
        /* Skipping here would hide it for ever. */
        printf("PostgreSQL is installed, and does not start: see %s/log\n", c->folder);
        exit(1);
    }
    return true;
}

static inline int pg_remove(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st, (void)kind, (void)ftw;
    return remove(path);
}

static inline void pg_stop(struct pg_cluster *c)
{
    pg_stop_server(c, SIGQUIT);
    if (c->folder[0])
        nftw(c->folder, pg_remove, 16, FTW_DEPTH | FTW_PHYS);
}

#endif
