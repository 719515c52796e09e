/* files_of MANAGER ROOT: the files of every installed package as src/pkg tells them, for comparison with what the
 * manager's own tool prints. A line a file: NAME ARCH VERSION KIND FLAGS HASH:DIGEST PATH REAL-PATH, tabs between, "\n",
 * "\t" and "\\" for those octets in paths. Complaints go to standard error. */
#include "pkg/pkg.h"

#include <stdio.h>
#include <string.h>

struct asking {
    const struct pkg_manager *manager;
    struct pkg_files files;
    const struct pkg_package *package;
    unsigned faults;
};

static void put(struct bytes b, char end)
{
    for (size_t i = 0; i < b.n; i++) {
        char c = (char)b.p[i];
        if (c == '\\' || c == '\n' || c == '\t')
            putchar('\\');
        putchar(c == '\n' ? 'n' : c == '\t' ? 't' : c);
    }
    putchar(end);
}

static bool take_file(void *context, const struct pkg_file *f)
{
    const struct asking *a = context;
    put(a->package->name, '\t');
    put(a->package->arch, '\t');
    put(a->package->version, '\t');
    printf("%c\t%s%s\t%s:", "?fdls"[f->kind], f->config ? "c" : "", f->optional ? "o" : "", pkg_hash_name(f->hash));
    for (size_t i = 0; i < f->digest.n; i++)
        printf("%02x", f->digest.p[i]);
    putchar('\t');
    put(f->path, '\t');
    put(f->real_path, '\n');
    return true;
}

static void complain(void *context, const char *file, size_t line, const char *what, bool unreadable)
{
    (void)context;
    fprintf(stderr, "%s:%zu: %s%s\n", file, line, what, unreadable ? " (unreadable)" : "");
}

static bool take_package(void *context, const struct pkg_package *p)
{
    struct asking *a = context;
    struct pkg_sink sink = {.context = a, .file = take_file, .complaint = complain};
    a->package = p;
    a->faults += a->manager->files(&a->files, p->name, p->arch, p->version, &sink) != PKG_OK;
    return true;
}

int main(int argc, char **argv)
{
    struct asking a = {.manager = argc == 3 ? pkg_manager_find(argv[1]) : NULL};
    if (!a.manager || !a.manager->files) {
        fprintf(stderr, "usage: files_of MANAGER ROOT\n");
        return 2;
    }
    a.files.root = argv[2];
    struct pkg_sink sink = {.context = &a, .package = take_package, .complaint = complain};
    enum pkg_status status = a.manager->installed(argv[2], &sink);
    pkg_files_end(&a.files);
    return status == PKG_OK && a.faults == 0 ? 0 : 1;
}
