/* Every statement of the store, once, in the words that SQLite 3.40 and PostgreSQL 15 share: parameters $1 … in order of appearance, zip()
 * turns lists into rows (a function of the schema in PostgreSQL, a virtual table in SQLite), CROSS JOIN keeps the list outside.
 * STATEMENT(name, types of its parameters, text); types are n number, b octets, N and B lists of them. */

STATEMENT(BEGIN_SQLITE, "", "BEGIN IMMEDIATE")
STATEMENT(BEGIN_POSTGRES, "", "BEGIN ISOLATION LEVEL READ COMMITTED")
STATEMENT(COMMIT, "", "COMMIT")
STATEMENT(ROLLBACK, "", "ROLLBACK")
STATEMENT(SAVEPOINT, "", "SAVEPOINT report")
STATEMENT(SAVEPOINT_RELEASE, "", "RELEASE SAVEPOINT report")
STATEMENT(SAVEPOINT_UNDO, "", "ROLLBACK TO SAVEPOINT report")

/* ---- endpoints: writing ---- */

STATEMENT(POSITION, "b", "SELECT id, epoch, last_eid, known, retired, tags_due FROM endpoint WHERE name = $1")
/* The row stays locked until the transaction ends: two servers never store for one endpoint at once. */
STATEMENT(ENDPOINT_LOCK, "b",
          "UPDATE endpoint SET sessions = sessions WHERE name = $1 RETURNING id, epoch, last_eid, known, product, version, vendor,"
          " last_boot, forwarding, default_password, installed, told")
STATEMENT(ENDPOINT_ADD, "bn",
          "INSERT INTO endpoint(name, first_seen) VALUES($1, $2) ON CONFLICT(name) DO UPDATE SET sessions = endpoint.sessions"
          " RETURNING id, epoch, last_eid, known, product, version, vendor, last_boot, forwarding, default_password, installed, told")
STATEMENT(ENDPOINT_SEEN, "nbbnnnn",
          "UPDATE endpoint SET last_seen = $1, device_id = CASE WHEN length($2) > 0 THEN $2 ELSE device_id END,"
          " address = CASE WHEN length($3) > 0 THEN $3 ELSE address END, sessions = sessions + $4, last_session = $5,"
          " told = CASE WHEN $6 = 0 THEN told ELSE $6 END WHERE id = $7")
STATEMENT(ENDPOINT_MOVED, "nnnnn",
          "UPDATE endpoint SET epoch = $1, last_eid = $2, known = 1, installed = $3, changes = changes + $4 WHERE id = $5")
STATEMENT(ENDPOINT_POSTURE, "bbnnnnn",
          "UPDATE endpoint SET product = $1, version = $2, vendor = $3, last_boot = $4, forwarding = $5, default_password = $6"
          " WHERE id = $7")
STATEMENT(POSTURE_ADD, "nnbbnnnn",
          "INSERT INTO posture(endpoint, learnt, product, version, vendor, last_boot, forwarding, default_password)"
          " VALUES($1, $2, $3, $4, $5, $6, $7, $8)")
STATEMENT(SESSION_ADD, "nnnbnnb",
          "INSERT INTO session(endpoint, started, finished, address, result, access, reason) VALUES($1, $2, $3, $4, $5, $6, $7)"
          " RETURNING id")
STATEMENT(SESSION_VERDICT, "nnnbn",
          "UPDATE session SET finished = $1, result = $2, access = $3, reason = $4 WHERE id = $5 RETURNING id")

/* ---- software, change sets, changes: writing ---- */

STATEMENT(SET_FIND, "B", "SELECT c.digest, c.id, c.members FROM zip($1) AS z CROSS JOIN change_set c WHERE c.digest = z.a")
STATEMENT(SET_ADD, "nBB",
          "INSERT INTO change_set(learnt, digest, members) SELECT $1, z.a, z.b FROM zip($2, $3) AS z WHERE 1 = 1"
          " ON CONFLICT(digest) DO NOTHING RETURNING digest, id")
STATEMENT(BLOCK_ADD, "NNNN",
          "INSERT INTO change_block(block, change_set, created, deleted) SELECT z.a, z.b, z.c, z.d FROM zip($1, $2, $3, $4) AS z"
          " WHERE 1 = 1 ON CONFLICT DO NOTHING")
STATEMENT(SOFTWARE_FIND, "NB",
          "SELECT s.digest, s.id FROM zip($1, $2) AS z CROSS JOIN software s WHERE s.head = z.a AND s.digest = z.b")
STATEMENT(SOFTWARE_ADD, "nNBB",
          "INSERT INTO software(learnt, head, digest, identifier) SELECT $1, z.a, z.b, z.c FROM zip($2, $3, $4) AS z WHERE 1 = 1"
          " ON CONFLICT DO NOTHING RETURNING digest, id")
/* The same where nobody else can add meanwhile: the numbers follow the last, and need not be told row by row. */
STATEMENT(SOFTWARE_LAST, "", "SELECT coalesce(max(id), 0) FROM software")
STATEMENT(SOFTWARE_APPEND, "nNNBB",
          "INSERT INTO software(learnt, id, head, digest, identifier) SELECT $1, z.a, z.b, z.c, z.d FROM zip($2, $3, $4, $5) AS z"
          " WHERE 1 = 1")
STATEMENT(CHANGE_ADD, "nnnnnnnb",
          "INSERT INTO change(endpoint, change_set, epoch, first_eid, last_eid, time, learnt, detail)"
          " VALUES($1, $2, $3, $4, $5, $6, $7, $8)")
/* Where the history breaks, see SCHEMA_6; its changes are those behind all that the endpoint has so far. */
STATEMENT(RUPTURE_ADD, "nnnnn",
          "INSERT INTO rupture(endpoint, change, until, since, learnt, whole) SELECT $1, coalesce(max(c.id), 0) + 1, $2, $3, $4, $5"
          " FROM change c WHERE c.endpoint = $1")
STATEMENT(RUPTURES, "nn", "SELECT change, until, since, learnt, whole FROM rupture WHERE endpoint = $1 ORDER BY id DESC LIMIT $2")
STATEMENT(RUPTURES_LATELY, "nn", "SELECT count(*) FROM rupture WHERE endpoint = $1 AND learnt > $2 AND whole = 1")
STATEMENT(PRESENT_GET, "n", "SELECT inventory, members FROM present WHERE endpoint = $1")
STATEMENT(PRESENT_PUT, "nbb",
          "INSERT INTO present(endpoint, inventory, members) VALUES($1, $2, $3)"
          " ON CONFLICT(endpoint) DO UPDATE SET inventory = excluded.inventory, members = excluded.members")

/* ---- tags ---- */

/* What was asked of somebody and did not come, the longest ago first, then what the endpoint itself brought; the inner limits bound the
 * look at software that others have. */
STATEMENT(SOFTWARE_UNTAGGED, "nnnn",
          "SELECT u.id, u.identifier FROM (SELECT * FROM (SELECT s.id, s.identifier, q.asked FROM tag_asked q JOIN software s"
          " ON s.id = q.software WHERE q.asked <= $1 ORDER BY q.asked LIMIT $2) AS a UNION ALL SELECT * FROM (SELECT s.id, s.identifier,"
          " 0 AS asked FROM software s WHERE s.id >= (SELECT tags_from FROM endpoint WHERE id = $3) AND NOT EXISTS (SELECT 1 FROM tag t"
          " WHERE t.software = s.id) AND NOT EXISTS (SELECT 1 FROM tag_asked q WHERE q.software = s.id) ORDER BY s.id LIMIT $2) AS b) AS u"
          " WHERE EXISTS (SELECT 1 FROM change_block b JOIN change c ON c.change_set = b.change_set WHERE b.block = u.id >> 6"
          " AND ((b.created | b.deleted) >> CAST(u.id & 63 AS INT4)) & 1 = 1 AND c.endpoint = $3) AND NOT EXISTS (SELECT 1 FROM claim m"
          " WHERE m.software = u.id AND m.endpoint = $3) ORDER BY u.asked, u.id LIMIT $4")
/* Of software ($1) that endpoint $2 has and told nothing of: what fewer than two are asked about since $3, and no two agree on; what nobody has
 * told by $4 is asked of whoever else has it. None of the above. */
STATEMENT(SOFTWARE_UNSURE, "Nnnnn",
          "SELECT s.id, s.identifier FROM zip($1) AS z CROSS JOIN software s LEFT JOIN tag t ON t.software = s.id LEFT JOIN tag_asked q"
          " ON q.software = s.id LEFT JOIN claim m ON m.software = s.id AND m.endpoint = $2 WHERE s.id = z.a AND m.endpoint IS NULL"
          " AND (t.software IS NULL OR (t.kind = 0 AND t.agreed = 0)) AND (CASE WHEN q.software IS NULL THEN t.software IS NOT NULL OR s.id <"
          " (SELECT e.tags_from FROM endpoint e WHERE e.id = $2) ELSE q.asked > $3 AND q.endpoint <> $2"
          " AND q.other <> $2 AND (q.other = 0 OR (t.software IS NULL AND q.asked <= $4)) END) ORDER BY s.id LIMIT $5")
STATEMENT(SOFTWARE_DOUBTED, "N",
          "SELECT count(*) FROM (SELECT z.a FROM zip($1) AS z WHERE NOT EXISTS (SELECT 1 FROM tag t WHERE t.software = z.a"
          " AND (t.kind = 1 OR t.agreed = 1)) LIMIT 1) AS w")
STATEMENT(SOFTWARE_ASKED, "nnNn",
          "INSERT INTO tag_asked(asked, endpoint, software) SELECT $1, $2, z.a FROM zip($3) AS z WHERE 1 = 1"
          " ON CONFLICT(software) DO UPDATE SET other = CASE WHEN tag_asked.asked > $4 AND tag_asked.endpoint <> excluded.endpoint"
          " THEN tag_asked.endpoint ELSE 0 END, asked = excluded.asked, endpoint = excluded.endpoint")
STATEMENT(TAGS_ASKED, "nn",
          "UPDATE endpoint SET tags_from = CASE WHEN $1 = 0 THEN tags_from ELSE 9223372036854775807 END, tags_due = $1 WHERE id = $2")
STATEMENT(TAGS_DUE, "nnn",
          "UPDATE endpoint SET tags_from = CASE WHEN tags_due = 0 AND tags_from > 0 THEN tags_from ELSE $1 END, tags_due = $2"
          " WHERE id = $3")
/* Whoever brought software and has not come since to be asked for it. The look falls on 64 endpoints, elsewhere with each $1, so that it costs
 * the same in every fleet. */
STATEMENT(TAGS_ABSENT, "nn",
          "SELECT e.id FROM (SELECT id, known, tags_due, last_seen, retired FROM endpoint WHERE id > $1 % (SELECT max(id) + 1 FROM endpoint) - 64"
          " ORDER BY id LIMIT 64) AS e WHERE e.known = 1 AND e.tags_due = 0 AND (e.last_seen <= $2 OR e.retired = 1) ORDER BY e.id LIMIT 1")
/* 2,000 software in a row, from the first that it brought; what is younger than $2 is somebody's who will come. */
STATEMENT(TAGS_RELEASE, "nn",
          "INSERT INTO tag_asked(asked, endpoint, software) SELECT 0, $1, w.id FROM (SELECT id, learnt FROM software"
          " WHERE id >= (SELECT tags_from FROM endpoint WHERE id = $1) ORDER BY id LIMIT 2000) AS w"
          " WHERE w.learnt <= $2 AND NOT EXISTS (SELECT 1 FROM tag t WHERE t.software = w.id) ON CONFLICT(software) DO NOTHING")
STATEMENT(TAGS_RELEASED, "n",
          "UPDATE endpoint SET tags_from = CASE WHEN w.n < 2000 THEN 9223372036854775807 ELSE w.last + 1 END,"
          " tags_due = CASE WHEN w.n < 2000 THEN 1 ELSE 0 END FROM (SELECT count(*) AS n, max(id) AS last FROM (SELECT id FROM software"
          " WHERE id >= (SELECT tags_from FROM endpoint WHERE id = $1) ORDER BY id LIMIT 2000) AS v) AS w"
          " WHERE endpoint.id = $1 AND endpoint.tags_due = 0")
STATEMENT(TAGS_SOON, "n", "UPDATE endpoint SET tags_due = 1 WHERE id = $1 AND tags_due > 1")
STATEMENT(CLAIM_PUT, "nnbbbbb",
          "INSERT INTO claim(software, endpoint, package, version, arch, source, source_version) VALUES($1, $2, $3, $4, $5, $6, $7)"
          " ON CONFLICT(software, endpoint) DO UPDATE SET package = excluded.package, version = excluded.version, arch = excluded.arch,"
          " source = excluded.source, source_version = excluded.source_version")
#define SAME_FACTS(a, b)                                                                                               \
    a ".package = " b ".package AND " a ".version = " b ".version AND " a ".arch = " b ".arch AND " a ".source = " b   \
      ".source AND " a ".source_version = " b ".source_version"
/* A report never replaces a reference, nor another endpoint's report; its own it does, but for one that tells files by one that tells none, and
 * for one that says otherwise what another endpoint agrees with. */
STATEMENT(TAG_ADD, "nnnbbbbbbn",
          "INSERT INTO tag(software, endpoint, learnt, octets, package, version, arch, source, source_version, files)"
          " VALUES($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT(software) DO UPDATE SET learnt = excluded.learnt,"
          " octets = excluded.octets, package = excluded.package, version = excluded.version, arch = excluded.arch, source = excluded.source,"
          " source_version = excluded.source_version, files = excluded.files"
          " WHERE tag.kind = 0 AND tag.endpoint = excluded.endpoint AND (excluded.files > 0 OR tag.files = 0) AND (tag.agreed = 0 OR ("
          SAME_FACTS("tag", "excluded") "))")
STATEMENT(TAG_AGREED, "n",
          "UPDATE tag SET agreed = 1 WHERE software = $1 AND kind = 0 AND agreed = 0 AND EXISTS (SELECT 1 FROM claim c WHERE"
          " c.software = tag.software AND c.endpoint <> tag.endpoint AND " SAME_FACTS("c", "tag") ")")
/* The first who reported it is alone with what it says: two others agree on something else. */
STATEMENT(TAG_OUTVOTED, "nnbbbbbbnn",
          "UPDATE tag SET agreed = 1, endpoint = $1, learnt = $2, octets = $3, package = $4, version = $5, arch = $6, source = $7,"
          " source_version = $8, files = $9 WHERE software = $10 AND kind = 0 AND agreed = 0 AND endpoint <> $1 AND EXISTS (SELECT 1 FROM claim c"
          " WHERE c.software = tag.software AND c.endpoint <> $1 AND c.package = $4 AND c.version = $5 AND c.arch = $6 AND c.source = $7"
          " AND c.source_version = $8)")
STATEMENT(TAG_BESIDE, "nnbnn",
          "INSERT INTO tag_beside(software, endpoint, learnt, octets, files) SELECT t.software, $1, $2, $3, $4 FROM tag t WHERE t.software = $5"
          " AND t.kind = 1 ON CONFLICT(software) DO UPDATE SET learnt = excluded.learnt, octets = excluded.octets, files = excluded.files"
          " WHERE tag_beside.endpoint = excluded.endpoint AND (excluded.files > 0 OR tag_beside.files = 0)")
STATEMENT(TAG_PUT_ASIDE, "n",
          "INSERT INTO tag_beside(software, endpoint, learnt, octets, files) SELECT software, endpoint, learnt, octets, files FROM tag"
          " WHERE software = $1 AND kind = 0 ON CONFLICT(software) DO NOTHING")
STATEMENT(TAG_REFERENCE, "nnbbbbbbbn",
          "INSERT INTO tag(software, endpoint, kind, learnt, who, octets, package, version, arch, source, source_version, files)"
          " VALUES($1, 0, 1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT(software) DO UPDATE SET endpoint = 0, kind = 1,"
          " learnt = excluded.learnt, who = excluded.who, octets = excluded.octets, package = excluded.package, version = excluded.version,"
          " arch = excluded.arch, source = excluded.source, source_version = excluded.source_version, files = excluded.files")
/* Nobody is asked any more; or not by what $2 has told, if another one is asked, too. */
STATEMENT(TAG_CAME, "nn",
          "DELETE FROM tag_asked WHERE software = $1 AND (endpoint = $2 OR EXISTS (SELECT 1 FROM tag t WHERE t.software = $1"
          " AND (t.kind = 1 OR t.agreed = 1)))")
/* $2: the kind, or -1 for the one that counts. */
STATEMENT(TAG_GET, "nn",
          "SELECT octets FROM tag WHERE software = $1 AND ($2 = -1 OR kind = $2) UNION ALL SELECT octets FROM tag_beside WHERE software = $1"
          " AND $2 = 0")
STATEMENT(TAGS, "nn",
          "SELECT t.software, s.identifier, t.kind, t.who, t.endpoint, e.name, t.learnt, f.files, b.endpoint, d.name, b.learnt, g.files,"
          " t.package, t.version, t.arch FROM tag t JOIN software s ON s.id = t.software LEFT JOIN endpoint e ON e.id = t.endpoint LEFT JOIN file_set f"
          " ON f.id = t.files LEFT JOIN tag_beside b ON b.software = t.software LEFT JOIN endpoint d ON d.id = b.endpoint LEFT JOIN file_set g"
          " ON g.id = b.files WHERE t.software > $1 ORDER BY t.software LIMIT $2")

/* What is known of software to whom looks at an endpoint, whose own claim is `c`: the reference, what it says itself, what two others agree on. */
#define FACT(name, tag)                                                                                                \
    ", CASE WHEN " tag ".kind = 1 OR (c.endpoint IS NULL AND " tag ".agreed = 1) THEN " tag "." name " ELSE c." name " END"

/* ---- files of tags ---- */

/* Held until the transaction ends: a new set and a new reference of one software never miss each other. */
STATEMENT(SOFTWARE_LOCK, "n", "UPDATE software SET learnt = learnt WHERE id = $1")
STATEMENT(FILE_SET_FIND, "nb", "SELECT id FROM file_set WHERE software = $1 AND digest = $2")
STATEMENT(FILE_SET_ADD, "nnb", "INSERT INTO file_set(software, files, digest) VALUES($1, $2, $3) RETURNING id")
STATEMENT(FILE_PATHS_ADD, "NB",
          "INSERT INTO file_path(head, path) SELECT z.a, z.b FROM zip($1, $2) AS z WHERE NOT EXISTS (SELECT 1 FROM file_path p"
          " WHERE p.head = z.a AND p.path = z.b)")
#define FILE_ROWS(lists)                                                                                               \
    "(SELECT (SELECT min(p.id) FROM file_path p WHERE p.head = z.a AND p.path = z.b) AS path, z.c AS head, z.d AS extent, z.e AS sha256" \
    " FROM zip(" lists ") AS z) AS w"
#define SAME_FILE "f.path = w.path AND f.head = w.head AND f.extent = w.extent AND f.sha256 = w.sha256"
STATEMENT(FILES_ADD, "NBNNB",
          "INSERT INTO file(path, head, extent, sha256) SELECT w.path, w.head, w.extent, w.sha256 FROM " FILE_ROWS("$1, $2, $3, $4, $5")
          " WHERE NOT EXISTS (SELECT 1 FROM file f WHERE " SAME_FILE ")")
STATEMENT(FILE_SET_FILL, "nNBNNB",
          "INSERT INTO file_of_set(file_set, file) SELECT $1, (SELECT min(f.id) FROM file f WHERE " SAME_FILE ") FROM "
          FILE_ROWS("$2, $3, $4, $5, $6"))
STATEMENT(FILE_SETS_OF, "n", "SELECT id FROM file_set WHERE software = $1 ORDER BY id")
STATEMENT(FILE_SET_DIFFERS, "nn", "UPDATE file_set SET differs = $1 WHERE id = $2")
STATEMENT(FILES_OF_SET, "n",
          "SELECT p.path, f.extent, f.sha256 FROM file_of_set l JOIN file f ON f.id = l.file JOIN file_path p ON p.id = f.path"
          " WHERE l.file_set = $1 ORDER BY p.path")
/* A set that nobody tells and no tag has. */
#define FORGOTTEN                                                                                                      \
    " = $1 AND NOT EXISTS (SELECT 1 FROM told o WHERE o.file_set = $1) AND NOT EXISTS (SELECT 1 FROM tag t WHERE t.software = $2"      \
    " AND t.files = $1) AND NOT EXISTS (SELECT 1 FROM tag_beside b WHERE b.software = $2 AND b.files = $1)"
STATEMENT(FILE_SET_EMPTY, "nn", "DELETE FROM file_of_set WHERE file_set" FORGOTTEN)
STATEMENT(FILE_SET_DROP, "nn", "DELETE FROM file_set WHERE id" FORGOTTEN)
STATEMENT(TAG_FILES, "n", "SELECT files FROM tag WHERE software = $1 AND kind = 1")
STATEMENT(TOLD_SET, "nn", "SELECT file_set FROM told WHERE endpoint = $1 AND software = $2")
STATEMENT(TOLD_PUT, "nnnn",
          "INSERT INTO told(endpoint, software, file_set, learnt, asked, bare) VALUES($1, $2, $3, $4, $4, 0) ON CONFLICT(endpoint, software)"
          " DO UPDATE SET learnt = CASE WHEN told.file_set = excluded.file_set THEN told.learnt ELSE excluded.learnt END,"
          " file_set = excluded.file_set, asked = excluded.asked, bare = 0")
STATEMENT(TOLD_BARE, "nnn", "UPDATE told SET bare = $1 WHERE endpoint = $2 AND software = $3")
STATEMENT(TOLD_ASKED, "nnN",
          "INSERT INTO told(endpoint, software, file_set, learnt, asked, bare) SELECT $1, z.a, 0, 0, $2, 0 FROM zip($3) AS z WHERE 1 = 1"
          " ON CONFLICT(endpoint, software) DO UPDATE SET asked = excluded.asked")
/* Software ($1) that has a reference with files, what was not asked of the endpoint for the longest first. */
STATEMENT(VERIFIABLE, "Nnn",
          "SELECT t.software, s.identifier, d.file_set, d.bare, f.differs FROM zip($1) AS z CROSS JOIN tag t JOIN software s ON s.id = t.software"
          " LEFT JOIN told d ON d.endpoint = $2 AND d.software = t.software LEFT JOIN file_set f ON f.id = d.file_set"
          " WHERE t.software = z.a AND t.kind = 1 AND t.files > 0 ORDER BY coalesce(d.asked, 0), t.software LIMIT $3")
STATEMENT(TOLD_DIFFERING, "n",
          "SELECT t.software FROM told t JOIN file_set f ON f.id = t.file_set WHERE t.endpoint = $1 AND f.differs > 0 ORDER BY t.software")
/* Also where a reference is not there, and another endpoint has reported first. */
STATEMENT(TOLD_OTHERWISE, "nn",
          "SELECT t.software, s.identifier, g.kind, g.files, t.file_set, CASE WHEN g.kind = 1 AND g.learnt > t.learnt THEN g.learnt ELSE t.learnt END"
          FACT("package", "g") FACT("version", "g") FACT("arch", "g") " FROM told t JOIN tag g ON g.software = t.software JOIN software s ON s.id = t.software"
          " LEFT JOIN claim c ON c.software = t.software AND c.endpoint = t.endpoint WHERE t.endpoint = $1 AND t.software >= $2 AND t.file_set > 0 AND g.files > 0 AND g.files <> t.file_set ORDER BY t.software")
/* A file number fits 31 bits of a cursor, below its set's. */
#define FILE_FOUND                                                                                                     \
    "SELECT (l.file_set << 31) | f.id, l.file_set, p.path, f.extent, f.sha256, s.id, s.identifier, g.kind, g.files, b.files, g.package, g.version,"  \
    " g.arch FROM "
#define FILE_ITEMS                                                                                                     \
    " JOIN file_of_set l ON l.file = f.id JOIN file_set q ON q.id = l.file_set JOIN software s ON s.id = q.software JOIN tag g"      \
    " ON g.software = s.id LEFT JOIN tag_beside b ON b.software = s.id WHERE "
#define FILE_PAGE " AND ((l.file_set << 31) | f.id) > $3 ORDER BY 1 LIMIT $4"
STATEMENT(FILES_BY_SHA256, "nbnn",
          FILE_FOUND "file f JOIN file_path p ON p.id = f.path" FILE_ITEMS "f.head = $1 AND f.sha256 = $2" FILE_PAGE)
STATEMENT(FILES_BY_PATH, "nbnn",
          FILE_FOUND "file_path p JOIN file f ON f.path = p.id" FILE_ITEMS "p.head = $1 AND p.path = $2" FILE_PAGE)
/* Endpoints that have or had a software, with all that each has now. */
STATEMENT(OWNERS, "nnn",
          "SELECT e.id, e.name, e.retired, n.members, t.file_set FROM (SELECT DISTINCT c.endpoint FROM change_block b JOIN change c ON c.change_set ="
          " b.change_set WHERE b.block = $1 >> 6 AND ((b.created | b.deleted) >> CAST($1 & 63 AS INT4)) & 1 = 1 AND c.endpoint > $2"
          " ORDER BY c.endpoint LIMIT $3) AS w JOIN endpoint e ON e.id = w.endpoint JOIN present n ON n.endpoint = w.endpoint"
          " LEFT JOIN told t ON t.endpoint = w.endpoint AND t.software = $1 ORDER BY e.id")

/* ---- reading ---- */

STATEMENT(ENDPOINTS, "nn",
          "SELECT e.id, e.name, e.device_id, e.product, e.version, e.address, e.first_seen, e.last_seen, e.last_boot, e.epoch,"
          " e.last_eid, e.installed, e.forwarding, e.default_password, s.result, s.access, s.reason"
          " FROM endpoint e LEFT JOIN session s ON s.id = e.last_session WHERE e.id > $1 ORDER BY e.id LIMIT $2")
STATEMENT(ENDPOINT_BY_NAME, "b", "SELECT id FROM endpoint WHERE name = $1")
STATEMENT(CHANGES, "nnn",
          "SELECT c.id, c.epoch, c.first_eid, c.time, c.learnt, c.detail, s.members"
          " FROM change c JOIN change_set s ON s.id = c.change_set WHERE c.endpoint = $1 AND c.id >= $2 ORDER BY c.id LIMIT $3")
/* The beginning of the first report that change $3 or one behind it belongs to. */
STATEMENT(CHANGES_FIRST, "nnn",
          "SELECT c.id, c.epoch, c.first_eid, c.time, c.learnt, c.detail, s.members"
          " FROM change c JOIN change_set s ON s.id = c.change_set WHERE c.endpoint = $1 AND c.id < $2 AND c.id >= $3"
          " AND c.learnt = (SELECT learnt FROM change WHERE endpoint = $1 AND id >= $3 ORDER BY id LIMIT 1) ORDER BY c.id")
/* A change's time is its first known one; what was learnt first tells of the oldest. */
STATEMENT(KNOWN_SINCE, "n",
          "SELECT time FROM change WHERE endpoint = $1 AND time > -9223372036854775807 ORDER BY id LIMIT 1")
STATEMENT(SOFTWARE_NAMES, "Nn",
          "SELECT s.id, s.identifier" FACT("package", "t") FACT("version", "t") FACT("arch", "t") FACT("source", "t") FACT("source_version", "t")
          " FROM zip($1) AS z CROSS JOIN software s LEFT JOIN tag t ON t.software = s.id LEFT JOIN claim c ON c.software = s.id AND c.endpoint = $2"
          " WHERE s.id = z.a")
STATEMENT(TOTALS, "",
          "SELECT (SELECT count(*) FROM endpoint), (SELECT count(*) FROM software), (SELECT count(*) FROM change_set),"
          " (SELECT CAST(coalesce(sum(changes), 0) AS INT8) FROM endpoint), (SELECT CAST(coalesce(sum(sessions), 0) AS INT8) FROM endpoint)")
