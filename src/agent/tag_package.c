/* Tags of packages that are not installed: whoever read a package file hands its files over. */
#include "agent/tag_maker.h"

bool agent_tags_package(const struct agent_tag_style *style, const struct agent_tag_taker *taker, const struct journal_record *r,
                        bool (*next)(void *context, struct swid_file *file), void *context)
{
    struct swid_sink *sink = taker->begin(taker->context, r);
    struct swid_files files;
    struct swid_file file;
    if (!sink || !tag_put_head(sink, style, r))
        return false;
    if (style->full) {
        swid_files_begin(&files, sink, style->hierarchic, &(struct swid_node){.element = SWID_PAYLOAD});
        while (sink->failed == SWID_OK && next(context, &file))
            swid_files_put(&files, &file);
        swid_files_end(&files);
    }
    sink->close(sink, SWID_IDENTITY);
    return sink->failed == SWID_OK && taker->end(taker->context, r, true);
}
