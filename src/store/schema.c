#include "store/sql.h"

const struct statement_row statements[ST_COUNT] = {
#define STATEMENT(name, parameters, text) [ST_##name] = {#name, parameters, text},
#include "store/statements.h"
#undef STATEMENT
};

/* Tables are written once; `id` is the engine's word for a key that numbers itself, `forever` for one that never gives
 * a number twice, `clustered` for a table that is its own index. Types are PostgreSQL's: SQLite reads them as numbers,
 * and keeps octets as they are. There are no foreign keys: rows are only added by write.c, under the endpoint's lock,
 * and a check of every row's parents would cost more than the row. */
#define SCHEMA_1(id, forever, clustered, by_digest)                                                                    \
    /* digest: of the identifier, which may be longer than an index takes. This is the one index into which a new      \
       inventory writes all over: in SQLite, where no other writer can come between look-up and insert, it holds four  \
       octets of the digest and is half as large. */                                                                   \
    "CREATE TABLE software(id " id ", learnt INT8 NOT NULL, digest BYTEA NOT NULL, identifier BYTEA NOT NULL);"        \
    "CREATE " by_digest ";"                                                                                            \
                                                                                                                       \
    /* digest: over the members' texts, see set.c; members: blob_put_members() */                                      \
    "CREATE TABLE change_set(id " id ", learnt INT8 NOT NULL, digest BYTEA NOT NULL UNIQUE, members BYTEA NOT NULL);"  \
                                                                                                                       \
    /* Which sets speak of a software; net: instances created less deleted by one change with this set. */             \
    "CREATE TABLE change_member(software INT8 NOT NULL, change_set INT8 NOT NULL, net INT4 NOT NULL,"                  \
    " PRIMARY KEY(software, change_set))" clustered ";"                                                                \
                                                                                                                       \
    /* What an endpoint reported, in the order in which it was learnt; detail: blob_put_detail(). A change of EIDs 0   \
       comes from an inventory: its times are bounds. */                                                               \
    "CREATE TABLE change(id " id                                                                                       \
    ", endpoint INT8 NOT NULL, change_set INT8 NOT NULL, epoch INT8 NOT NULL, first_eid INT8 NOT NULL,"                \
    " last_eid INT8 NOT NULL, time INT8 NOT NULL, learnt INT8 NOT NULL, detail BYTEA NOT NULL);"                       \
    "CREATE INDEX change_endpoint ON change(endpoint);"                                                                \
    "CREATE INDEX change_change_set ON change(change_set, endpoint);"                                                  \
                                                                                                                       \
    "CREATE TABLE endpoint(id " forever                                                                                \
    ", name BYTEA NOT NULL UNIQUE, first_seen INT8 NOT NULL, last_seen INT8 NOT NULL DEFAULT 0,"                       \
    " device_id BYTEA NOT NULL DEFAULT '', address BYTEA NOT NULL DEFAULT '', product BYTEA NOT NULL DEFAULT '',"      \
    " version BYTEA NOT NULL DEFAULT '', vendor INT8 NOT NULL DEFAULT 0, last_boot INT8 NOT NULL DEFAULT " NO_TIME "," \
    " forwarding INT4 NOT NULL DEFAULT -1, default_password INT4 NOT NULL DEFAULT -1, epoch INT8 NOT NULL DEFAULT 0,"  \
    " last_eid INT8 NOT NULL DEFAULT 0, known INT4 NOT NULL DEFAULT 0, installed INT8 NOT NULL DEFAULT 0, changes "    \
    "INT8 NOT NULL DEFAULT 0,"                                                                                         \
    " sessions INT8 NOT NULL DEFAULT 0, last_session INT8 NOT NULL DEFAULT 0, retired INT4 NOT NULL DEFAULT 0);"       \
                                                                                                                       \
    /* Who has what now: one blob an endpoint (blob_put_present()); inventory: the digest of the inventory that it     \
       equals, '' if changes came since. */                                                                            \
    "CREATE TABLE present(endpoint INT8 PRIMARY KEY, inventory BYTEA NOT NULL, members BYTEA NOT NULL);"               \
                                                                                                                       \
    /* A row for each difference of the posture, for questions about the past. */                                      \
    "CREATE TABLE posture(id " id                                                                                      \
    ", endpoint INT8 NOT NULL, learnt INT8 NOT NULL, product BYTEA NOT NULL, version BYTEA NOT NULL,"                  \
    " vendor INT8 NOT NULL, last_boot INT8 NOT NULL, forwarding INT4 NOT NULL, default_password INT4 NOT NULL);"       \
    "CREATE INDEX posture_endpoint ON posture(endpoint);"                                                              \
                                                                                                                       \
    "CREATE TABLE session(id " id                                                                                      \
    ", endpoint INT8 NOT NULL, started INT8 NOT NULL, finished INT8 NOT NULL, address BYTEA NOT NULL,"                 \
    " result INT4 NOT NULL, access INT4 NOT NULL, reason BYTEA NOT NULL);"

/* Tags: what each tells of its package, '' if it does not; tag_asked: of whom it was last wanted when, in vain so far.
 * They stand beside software, so that a first inventory, which has neither, costs nothing more. tags_due: when an
 * endpoint's next session shall ask for tags; tags_from: the first software that it brought and was not asked for. */
#define SCHEMA_2                                                                                                       \
    "CREATE TABLE tag(software INT8 PRIMARY KEY, endpoint INT8 NOT NULL, learnt INT8 NOT NULL, octets BYTEA NOT NULL," \
    " package BYTEA NOT NULL, version BYTEA NOT NULL, arch BYTEA NOT NULL, source BYTEA NOT NULL,"                     \
    " source_version BYTEA NOT NULL);"                                                                                 \
    "CREATE TABLE tag_asked(software INT8 PRIMARY KEY, endpoint INT8 NOT NULL, asked INT8 NOT NULL);"                  \
    "CREATE INDEX tag_asked_asked ON tag_asked(asked);"                                                                \
    "ALTER TABLE endpoint ADD COLUMN tags_due INT8 NOT NULL DEFAULT 0;"                                                \
    "ALTER TABLE endpoint ADD COLUMN tags_from INT8 NOT NULL DEFAULT 0;"

/* What a new inventory writes for each of its identifiers decides what it costs. head: the digest's first 31 bits, a
 * number that an index finds faster than octets; SQLite, where no other writer can come between look-up and insert,
 * needs no other index. change_block: which sets speak of 64 software in a row, a bit each in `created` if the set
 * brings one instance more, in `deleted` if it takes one away, in both if it does anything else: then the set itself
 * tells. */
#define SCHEMA_3(head, index)                                                                                          \
    "ALTER TABLE software ADD COLUMN head INT8 NOT NULL DEFAULT 0;"                                                    \
    "UPDATE software SET head = " head ";" index                                                                       \
    "CREATE TABLE change_block(block INT8 NOT NULL, change_set INT8 NOT NULL, created INT8 NOT NULL,"                  \
    " deleted INT8 NOT NULL, PRIMARY KEY(block, change_set))"

#define FILL_3                                                                                                         \
    ";INSERT INTO change_block SELECT software >> 6, change_set, CAST(sum(CASE WHEN net <> -1 THEN " BIT_3             \
    " ELSE 0 END) AS INT8), CAST(sum(CASE WHEN net <> 1 THEN " BIT_3                                                   \
    " ELSE 0 END) AS INT8) FROM change_member GROUP BY software >> 6, change_set;"                                     \
    "DROP TABLE change_member;"
#define BIT_3       "CAST(1 AS INT8) << CAST(software & 63 AS INT4)"
#define NIBBLE_3(n) "instr('123456789ABCDEF', substr(hex(digest), " n ", 1))"
#define SQLITE_HEAD_3                                                                                                  \
    "(((" NIBBLE_3("1") " & 7) << 28) | (" NIBBLE_3("2") " << 24) | (" NIBBLE_3("3") " << 20) | (" NIBBLE_3(           \
        "4") " << 16) | (" NIBBLE_3("5") " << 12) | (" NIBBLE_3("6") " << 8) | (" NIBBLE_3("7") " << 4) | " NIBBLE_3("8") ")"
#define POSTGRES_HEAD_3                                                                                                \
    "(((get_byte(digest, 0) & 127) << 24) | (get_byte(digest, 1) << 16) | (get_byte(digest, 2) << 8) | "               \
    "get_byte(digest, 3))"

/* Files of tags, each thing once: a path of the fleet; a file, which is a path with a size and a digest; a set of files, which is what one tag
 * says of one software. extent: the size (-1: not told) times two, plus one if the file is mutable. head: digest_head() of the path, and of
 * the SHA-256 (-1: there is none). Nothing here is unique where two servers would wait for each other: what stands twice is found by its least number.
 * told: which set an endpoint told of a software, since when; file_set 0: none yet. asked: when it was asked, or told it. bare: when it gave a tag
 * without files. What differs from the reference follows from that: it stands nowhere else, so it is the same in whatever order things came.
 * file_set.differs: in how many files from the reference; -1: there is none. */
#define SCHEMA_4(id, clustered)                                                                                        \
    "ALTER TABLE tag ADD COLUMN kind INT8 NOT NULL DEFAULT 0;" /* enum store_tag_kind */                               \
    "ALTER TABLE tag ADD COLUMN who BYTEA NOT NULL DEFAULT '';"                                                        \
    "ALTER TABLE tag ADD COLUMN files INT8 NOT NULL DEFAULT 0;" /* a file_set; 0: none */                              \
    /* what an endpoint reported of a software whose tag is a reference */                                             \
    "CREATE TABLE tag_beside(software INT8 PRIMARY KEY, endpoint INT8 NOT NULL, learnt INT8 NOT NULL,"                 \
    " octets BYTEA NOT NULL, files INT8 NOT NULL);"                                                                    \
    "CREATE TABLE file_path(id " id ", head INT8 NOT NULL, path BYTEA NOT NULL);"                                      \
    "CREATE INDEX file_path_head ON file_path(head);"                                                                  \
    "CREATE TABLE file(id " id ", path INT8 NOT NULL, head INT8 NOT NULL, extent INT8 NOT NULL, sha256 BYTEA NOT NULL);" \
    "CREATE INDEX file_path_and_head ON file(path, head);"                                                             \
    "CREATE INDEX file_head ON file(head);"                                                                            \
    "CREATE TABLE file_set(id " id ", software INT8 NOT NULL, files INT8 NOT NULL,"                                    \
    " differs INT8 NOT NULL DEFAULT -1, digest BYTEA NOT NULL);"                                                       \
    "CREATE INDEX file_set_software ON file_set(software);"                                                            \
    "CREATE TABLE file_of_set(file_set INT8 NOT NULL, file INT8 NOT NULL, PRIMARY KEY(file_set, file))" clustered ";"  \
    "CREATE INDEX file_of_set_file ON file_of_set(file);"                                                              \
    "CREATE TABLE told(endpoint INT8 NOT NULL, software INT8 NOT NULL, file_set INT8 NOT NULL, learnt INT8 NOT NULL,"  \
    " asked INT8 NOT NULL, bare INT8 NOT NULL, PRIMARY KEY(endpoint, software))" clustered ";"                         \
    "CREATE INDEX told_file_set ON told(file_set);"

/* What each endpoint told of a software, for itself alone: a report counts for others once two of them agree. other: whom a tag was wanted of within
 * the same day, before `endpoint`; 0: nobody. Fleets of before are asked anew, two endpoints a software. */
#define SCHEMA_5(clustered)                                                                                            \
    "CREATE TABLE claim(software INT8 NOT NULL, endpoint INT8 NOT NULL, package BYTEA NOT NULL, version BYTEA NOT NULL, arch BYTEA NOT NULL," \
    " source BYTEA NOT NULL, source_version BYTEA NOT NULL, PRIMARY KEY(software, endpoint))" clustered ";"              \
    "INSERT INTO claim SELECT software, endpoint, package, version, arch, source, source_version FROM tag WHERE kind = 0;" \
    "ALTER TABLE tag ADD COLUMN agreed INT8 NOT NULL DEFAULT 0;"                                                       \
    "ALTER TABLE tag_asked ADD COLUMN other INT8 NOT NULL DEFAULT 0;"                                                  \
    "UPDATE endpoint SET tags_due = 1 WHERE known = 1 AND tags_due > 1;"

/* told: when the endpoint last told of its software. rupture: there an endpoint's epoch ended; what was told until then and what is told from
 * `since` on are known, and nothing of the time between. whole: the new epoch was told from its first event, and what happened from `until` on is told
 * by the changes from number `change` on, which begin with nothing; else they go on from what was there. */
#define SCHEMA_6(id)                                                                                                   \
    "ALTER TABLE endpoint ADD COLUMN told INT8 NOT NULL DEFAULT 0;"                                                    \
    "UPDATE endpoint SET told = last_seen WHERE known = 1;"                                                            \
    "CREATE TABLE rupture(id " id ", endpoint INT8 NOT NULL, change INT8 NOT NULL, until INT8 NOT NULL, since INT8 NOT NULL,"    \
    " learnt INT8 NOT NULL, whole INT4 NOT NULL);"                                                                     \
    "CREATE INDEX rupture_endpoint ON rupture(endpoint);"

#define NO_TIME "(-9223372036854775807 - 1)" /* TIME_UNKNOWN */

#define SQLITE(schema)                                                                                                 \
    schema("INTEGER PRIMARY KEY", "INTEGER PRIMARY KEY AUTOINCREMENT", " WITHOUT ROWID",                               \
           "INDEX software_digest ON software(substr(digest, 1, 4))")
#define POSTGRES(schema)                                                                                               \
    schema("INT8 GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY", "INT8 GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY",   \
           "", "UNIQUE INDEX software_digest ON software(digest)")

/* What SQLite's side has in sqlite.c: lists as rows. Not STRICT, so that the planner can look into them. */
#define POSTGRES_ZIP                                                                                                   \
    "CREATE FUNCTION zip(INT8[]) RETURNS TABLE(a INT8) LANGUAGE sql IMMUTABLE AS 'SELECT unnest($1)';"                 \
    "CREATE FUNCTION zip(BYTEA[]) RETURNS TABLE(a BYTEA) LANGUAGE sql IMMUTABLE AS 'SELECT unnest($1)';"               \
    "CREATE FUNCTION zip(BYTEA[], BYTEA[]) RETURNS TABLE(a BYTEA, b BYTEA) LANGUAGE sql IMMUTABLE AS"                  \
    " 'SELECT * FROM unnest($1, $2)';"                                                                                 \
    "CREATE FUNCTION zip(INT8[], INT8[], INT8[]) RETURNS TABLE(a INT8, b INT8, c INT8) LANGUAGE sql IMMUTABLE AS"      \
    " 'SELECT * FROM unnest($1, $2, $3)';"

#define POSTGRES_ZIP_3                                                                                                 \
    "CREATE FUNCTION zip(INT8[], BYTEA[]) RETURNS TABLE(a INT8, b BYTEA) LANGUAGE sql IMMUTABLE AS"                    \
    " 'SELECT * FROM unnest($1, $2)';"                                                                                 \
    "CREATE FUNCTION zip(INT8[], BYTEA[], BYTEA[]) RETURNS TABLE(a INT8, b BYTEA, c BYTEA) LANGUAGE sql IMMUTABLE AS"  \
    " 'SELECT * FROM unnest($1, $2, $3)';"                                                                             \
    "CREATE FUNCTION zip(INT8[], INT8[], BYTEA[], BYTEA[]) RETURNS TABLE(a INT8, b INT8, c BYTEA, d BYTEA) LANGUAGE"   \
    " sql IMMUTABLE AS 'SELECT * FROM unnest($1, $2, $3, $4)';"                                                        \
    "CREATE FUNCTION zip(INT8[], INT8[], INT8[], INT8[]) RETURNS TABLE(a INT8, b INT8, c INT8, d INT8) LANGUAGE sql"   \
    " IMMUTABLE AS 'SELECT * FROM unnest($1, $2, $3, $4)';"

#define POSTGRES_ZIP_4                                                                                                 \
    "CREATE FUNCTION zip(INT8[], BYTEA[], INT8[], INT8[], BYTEA[]) RETURNS TABLE(a INT8, b BYTEA, c INT8, d INT8, e"   \
    " BYTEA) LANGUAGE sql IMMUTABLE AS 'SELECT * FROM unnest($1, $2, $3, $4, $5)';"

const char *const sqlite_migrations[] = {
    SQLITE(SCHEMA_1),
    SCHEMA_2,
    SCHEMA_3(SQLITE_HEAD_3,
             "DROP INDEX software_digest; CREATE INDEX software_head ON software(head);") " WITHOUT ROWID" FILL_3,
    SCHEMA_4("INTEGER PRIMARY KEY", " WITHOUT ROWID"),
    SCHEMA_5(" WITHOUT ROWID"),
    SCHEMA_6("INTEGER PRIMARY KEY"),
};
const char *const postgres_migrations[] = {
    POSTGRES_ZIP POSTGRES(SCHEMA_1),
    SCHEMA_2,
    POSTGRES_ZIP_3 SCHEMA_3(POSTGRES_HEAD_3, "") FILL_3,
    POSTGRES_ZIP_4 SCHEMA_4("INT8 GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY", ""),
    SCHEMA_5(""),
    SCHEMA_6("INT8 GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY"),
};
const size_t migration_count = ARRAY_LENGTH(sqlite_migrations);
_Static_assert(ARRAY_LENGTH(sqlite_migrations) == ARRAY_LENGTH(postgres_migrations), "each engine has each step");
