#include "server/web.h"

void page_answer(struct web_request *r)
{
    for (size_t i = 0; i < page_file_count; i++) {
        if (!bytes_equal(bytes_of(page_files[i].path), bytes_of(r->route->pattern)))
            continue;
        r->status = 200;
        r->type = page_files[i].type;
        r->fixed = page_files[i].content;
        return;
    }
    web_problem(r, 404, "this server was built without the page");
}
