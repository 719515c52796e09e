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
          " last_boot, forwarding, default_password, installed")
STATEMENT(ENDPOINT_ADD, "bn",
          "INSERT INTO endpoint(name, first_seen) VALUES($1, $2) ON CONFLICT(name) DO UPDATE SET sessions = endpoint.sessions"
          " RETURNING id, epoch, last_eid, known, product, version, vendor, last_boot, forwarding, default_password, installed")
STATEMENT(ENDPOINT_SEEN, "nbbnnn",
          "UPDATE endpoint SET last_seen = $1, device_id = CASE WHEN length($2) > 0 THEN $2 ELSE device_id END,"
          " address = CASE WHEN length($3) > 0 THEN $3 ELSE address END, sessions = sessions + $4, last_session = $5 WHERE id = $6")
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
          " AND ((b.created | b.deleted) >> CAST(u.id & 63 AS INT4)) & 1 = 1 AND c.endpoint = $3) ORDER BY u.asked, u.id LIMIT $4")
STATEMENT(SOFTWARE_ASKED, "nnN",
          "INSERT INTO tag_asked(asked, endpoint, software) SELECT $1, $2, z.a FROM zip($3) AS z WHERE 1 = 1"
          " ON CONFLICT(software) DO UPDATE SET asked = excluded.asked, endpoint = excluded.endpoint")
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
STATEMENT(TAG_ADD, "nnnbbbbbb",
          "INSERT INTO tag(software, endpoint, learnt, octets, package, version, arch, source, source_version)"
          " VALUES($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT(software) DO NOTHING")
STATEMENT(TAG_CAME, "n", "DELETE FROM tag_asked WHERE software = $1")
STATEMENT(TAG_GET, "n", "SELECT octets FROM tag WHERE software = $1")

/* ---- reading ---- */

STATEMENT(ENDPOINTS, "nn",
          "SELECT e.id, e.name, e.device_id, e.product, e.version, e.address, e.first_seen, e.last_seen, e.last_boot, e.epoch,"
          " e.last_eid, e.installed, e.forwarding, e.default_password, s.result, s.access, s.reason"
          " FROM endpoint e LEFT JOIN session s ON s.id = e.last_session WHERE e.id > $1 ORDER BY e.id LIMIT $2")
STATEMENT(ENDPOINT_BY_NAME, "b", "SELECT id FROM endpoint WHERE name = $1")
STATEMENT(CHANGES, "nnn",
          "SELECT c.id, c.epoch, c.first_eid, c.time, c.learnt, c.detail, s.members"
          " FROM change c JOIN change_set s ON s.id = c.change_set WHERE c.endpoint = $1 AND c.id >= $2 ORDER BY c.id LIMIT $3")
/* A change's time is its first known one; what was learnt first tells of the oldest. */
STATEMENT(KNOWN_SINCE, "n",
          "SELECT time FROM change WHERE endpoint = $1 AND time > -9223372036854775807 ORDER BY id LIMIT 1")
STATEMENT(SOFTWARE_NAMES, "N", 
          "SELECT s.id, s.identifier, t.package, t.version, t.arch, t.source, t.source_version FROM zip($1) AS z CROSS JOIN software s"
          " LEFT JOIN tag t ON t.software = s.id WHERE s.id = z.a")
STATEMENT(TOTALS, "",
          "SELECT (SELECT count(*) FROM endpoint), (SELECT count(*) FROM software), (SELECT count(*) FROM change_set),"
          " (SELECT CAST(coalesce(sum(changes), 0) AS INT8) FROM endpoint), (SELECT CAST(coalesce(sum(sessions), 0) AS INT8) FROM endpoint)")
