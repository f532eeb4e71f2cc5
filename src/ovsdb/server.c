/* server - the whole: databases by name, the built-in one that describes them, locks, and the chores of the loop. */
#include "ovsdb/server.h"
#include "base/hash.h"
#include "base/log.h"
#include "io/tls.h"
#include "ovsdb/server_impl.h"
#include <errno.h>
#include <string.h>

LOG_MODULE(ovsdb_server);

/* The schema of _Server is fixed by ovsdb-server(5). */
static const char server_schema[] =
    "{\"name\":\"_Server\",\"version\":\"1.2.0\",\"cksum\":\"3009684573 744\",\"tables\":{\"Database\":{\"columns\":{"
    "\"name\":{\"type\":\"string\"},"
    "\"model\":{\"type\":{\"key\":{\"type\":\"string\",\"enum\":[\"set\",[\"standalone\",\"clustered\",\"relay\"]]}}},"
    "\"connected\":{\"type\":\"boolean\"},"
    "\"leader\":{\"type\":\"boolean\"},"
    "\"schema\":{\"type\":{\"key\":{\"type\":\"string\"},\"min\":0,\"max\":1}},"
    "\"cid\":{\"type\":{\"key\":{\"type\":\"uuid\"},\"min\":0,\"max\":1}},"
    "\"sid\":{\"type\":{\"key\":{\"type\":\"uuid\"},\"min\":0,\"max\":1}},"
    "\"index\":{\"type\":{\"key\":{\"type\":\"integer\"},\"min\":0,\"max\":1}}},"
    "\"isRoot\":true}}}";

#define TICK millis(2500)

/* ---- databases ---- */

struct hosted *
server_find(const struct server *s, const char *name)
{
    struct hosted *h;
    HMAP_FOR_HASH (h, node, hash_str(name), &s->dbs)
        if (!strcmp(h->name, name))
            return h;
    return NULL;
}

static void
set_cell(struct txn *txn, struct row *r, const char *column, const struct datum *take)
{
    txn_set(txn, r, table_column(r->table->schema, column), take);
}

void
server_describe(struct hosted *h)
{
    struct db *db = h->server->self->db;
    struct table *t = db_table(db, "Database");
    struct txn *txn = txn_begin(db);
    struct row *r = table_find(t, &h->row);
    union atom yes = {.boolean = h->model != MODEL_RELAY || h->is_connected};
    union atom leader = {.boolean = h->model != MODEL_RELAY};

    if (!r) {
        r = row_new(t, &h->row);
        txn_insert(txn, r);
    }
    set_cell(txn, r, "name", datum_of_string(h->name));
    set_cell(txn, r, "model", datum_of_string(h->model == MODEL_RELAY ? "relay" : "standalone"));
    set_cell(txn, r, "connected", datum_of(&yes, ATOM_BOOLEAN));
    set_cell(txn, r, "leader", datum_of(&leader, ATOM_BOOLEAN));
    if (h->db) {
        AUTO_TEXT struct text schema = TEXT_INIT;
        schema_add_json(&schema, h->db->schema);
        set_cell(txn, r, "schema", datum_of_string(text_str(&schema)));
    }
    struct dberr *err = txn_commit(txn);
    ASSERT(!err);
}

static void
describe_gone(struct hosted *h)
{
    struct db *db = h->server->self->db;
    struct row *r = table_find(db_table(db, "Database"), &h->row);
    struct txn *txn = txn_begin(db);

    if (r)
        txn_delete(txn, r);
    struct dberr *err = txn_commit(txn);
    ASSERT(!err);
}

void
server_db_changed(struct server *s, const char *name, const char *comment)
{
    struct session *session;

    LIST_FOR (session, link, &s->sessions)
        if (!session->knows_db_changes)
            session_doom(session, comment);
    log_info("%s: %s", name, comment);
}

void
server_reconnect_all(struct server *s, const char *why)
{
    struct session *session;
    LIST_FOR (session, link, &s->sessions)
        session_doom(session, why);
}

void
server_adopt(struct server *s, struct hosted *h)
{
    hmap_insert(&s->dbs, &h->node, hash_str(h->name));
    server_describe(h);
    task_soon(&s->reconfigure);
}

void
server_dismiss(struct hosted *h)
{
    struct server *s = h->server;

    hmap_remove(&s->dbs, &h->node);
    describe_gone(h);
    server_db_changed(s, h->name, "database removed");
    hosted_free(h);
    task_soon(&s->reconfigure);
}

static int
add_relay(struct server *s, const char *what, struct why *why)
{
    const char *name = what + strlen("relay:"), *colon = strchr(name, ':');

    if (!colon || colon == name || !colon[1])
        return refuse(why, -EINVAL, "%s: invalid syntax", what);
    AUTO_STR char *db = xstrndup(name, colon - name);
    if (server_find(s, db))
        return refuse(why, -EEXIST, "%s: duplicate database name", db);
    struct hosted *h = xzalloc(sizeof *h);
    h->server = s;
    h->name = xstrdup(db);
    h->model = MODEL_RELAY;
    h->row = uuid_random();
    h->relay_targets = xstrdup(colon + 1);
    list_init(&h->triggers);
    h->source = relay_open(h, h->relay_targets, why);
    if (!h->source) {
        hosted_free(h);
        return -EINVAL;
    }
    server_adopt(s, h);
    return 0;
}

static bool
is_open(const struct server *s, const char *path)
{
    struct hosted *h;
    AUTO_STR char *real = realpath(path, NULL);

    HMAP_FOR (h, node, &s->dbs) {
        AUTO_STR char *other = h->store ? realpath(store_path(h->store), NULL) : NULL;
        if (real && other && !strcmp(real, other))
            return true;
    }
    return false;
}

int
server_add_db(struct server *s, const char *what, struct why *why)
{
    struct store *store;
    struct db *db;

    if (!strncmp(what, "relay:", 6))
        return add_relay(s, what, why);
    if (is_open(s, what)) /* the lock file does not keep a process from itself */
        return refuse(why, -EEXIST, "ovsdb error: %s: already open", what);
    int err = store_open(s->loop, what, &store, &db, why);
    if (err)
        return err;
    if (db->schema->name[0] == '_' || server_find(s, db->schema->name)) {
        err = db->schema->name[0] == '_'
                  ? refuse(why, -EINVAL, "ovsdb error: %s: names beginning with \"_\" are reserved", db->schema->name)
                  : refuse(why, -EEXIST, "ovsdb error: %s: duplicate database name", db->schema->name);
        store_close(store);
        db_free(db);
        return err;
    }
    store_set_diff(store, !s->no_diff);
    store_trim_on_compaction(store, s->trim_on_compaction);
    struct hosted *h = hosted_new(s, db, MODEL_STANDALONE);
    h->store = store;
    server_adopt(s, h);
    if (s->is_backup)
        source_update(s);
    return 0;
}

int
server_remove_db(struct server *s, const char *name, struct why *why)
{
    struct hosted *h = server_find(s, name);

    if (!h)
        return refuse(why, -ENOENT, "Failed to find the database.");
    if (h->model == MODEL_INTERNAL)
        return refuse(why, -EPERM, "Cannot remove reserved database.");
    server_dismiss(h);
    return 0;
}

/* ---- locks ---- */

bool
lock_is_owner(const struct lock_waiter *w)
{
    return w->lock->waiters.next == &w->link;
}

struct lock_waiter *
lock_join(struct server *s, const char *name, struct session *session, bool steal)
{
    struct lock *lock;
    struct lock_waiter *w = xzalloc(sizeof *w);

    HMAP_FOR_HASH (lock, node, hash_str(name), &s->locks)
        if (!strcmp(lock->name, name))
            break;
    if (!lock) {
        lock = xzalloc(sizeof *lock);
        lock->name = xstrdup(name);
        list_init(&lock->waiters);
        hmap_insert(&s->locks, &lock->node, hash_str(name));
    }
    w->lock = lock;
    w->session = session;
    if (steal && !list_is_empty(&lock->waiters)) {
        struct lock_waiter *owner = LIST_ELEM(lock->waiters.next, struct lock_waiter, link);
        session_notify_lock(owner->session, "stolen", name);
        list_push_front(&lock->waiters, &w->link);
    } else {
        list_push_back(&lock->waiters, &w->link);
    }
    list_push_back(&session->locks, &w->session_link);
    return w;
}

void
lock_leave(struct server *s, struct lock_waiter *w)
{
    struct lock *lock = w->lock;
    bool owned = lock_is_owner(w);

    list_remove(&w->link);
    list_remove(&w->session_link);
    free(w);
    if (list_is_empty(&lock->waiters)) {
        hmap_remove(&s->locks, &lock->node);
        free(lock->name);
        free(lock);
    } else if (owned) {
        struct lock_waiter *next = LIST_ELEM(lock->waiters.next, struct lock_waiter, link);
        session_notify_lock(next->session, "locked", lock->name);
    }
}

/* ---- chores ---- */

static void
do_retry(void *aux)
{
    struct server *s = aux;
    struct hosted *h;
    HMAP_FOR (h, node, &s->dbs)
        if (h->db)
            triggers_retry(h);
}

static void
do_reap(void *aux)
{
    struct server *s = aux;
    struct session *session, *next;
    LIST_FOR_SAFE (session, next, link, &s->sessions)
        if (session->is_doomed)
            session_free(session);
}

/* The value of db:DB,TABLE,COLUMN: the first string there; NULL: none.  The caller frees it. */
static char *
string_from_db(const struct server *s, const char *where)
{
    AUTO_STR char *copy = xstrdup(where);
    char *save = NULL, *db = strtok_r(copy + 3, ",", &save), *table = strtok_r(NULL, ",", &save),
         *column = strtok_r(NULL, ",", &save);
    struct hosted *h = db ? server_find(s, db) : NULL;
    struct table *t = h && h->db && table ? db_table(h->db, table) : NULL;
    const struct column *c = t && column ? table_column(t->schema, column) : NULL;

    if (!c || c->type.key.type != ATOM_STRING || c->index < COL_FIRST)
        return NULL;
    TABLE_FOR(r, t)
    {
        const char *value = datum_string_or(row_cell(r, c->index), "");
        if (*value)
            return xstrdup(value);
    }
    return NULL;
}

static void
tls_update(struct server *s)
{
    char *files[TLS_N_FILES] = {NULL};
    bool any = s->tls_protocols || s->tls_ciphers || s->tls_ciphersuites;

    for (int i = 0; i < TLS_N_FILES; i++) {
        const char *f = s->tls_files[i];
        files[i] = !f ? NULL : !strncmp(f, "db:", 3) ? string_from_db(s, f) : xstrdup(f);
        any = any || files[i];
    }
    if (any)
        tls_configure(&(struct tls_config){
            .private_key = files[TLS_PRIVATE_KEY],
            .certificate = files[TLS_CERTIFICATE],
            .ca_cert = files[TLS_CA_CERT],
            .bootstrap_ca_cert = s->tls_bootstrap,
            .peer_ca_cert = s->tls_peer_ca,
            .protocols = s->tls_protocols,
            .ciphers = s->tls_ciphers,
            .ciphersuites = s->tls_ciphersuites,
        });
    for (int i = 0; i < TLS_N_FILES; i++)
        free(files[i]);
}

static char *
dup_or_null(const char *s)
{
    return s ? xstrdup(s) : NULL;
}

int
server_set_tls(struct server *s, const char *const files[TLS_N_FILES], bool bootstrap_ca_cert, const char *peer_ca_cert,
               const char *protocols, const char *ciphers, const char *ciphersuites, struct why *why)
{
    for (int i = 0; i < TLS_N_FILES; i++) {
        const char *f = files[i];
        if (f && !strncmp(f, "db:", 3)) {
            const char *comma = strchr(f, ',');
            if (!comma || !strchr(comma + 1, ','))
                return refuse(why, -EINVAL, "\"%s\": invalid syntax", f);
            s->watches_dbs = true;
        }
        free(s->tls_files[i]);
        s->tls_files[i] = dup_or_null(f);
    }
    s->tls_bootstrap = bootstrap_ca_cert;
    s->tls_peer_ca = dup_or_null(peer_ca_cert);
    s->tls_protocols = dup_or_null(protocols);
    s->tls_ciphers = dup_or_null(ciphers);
    s->tls_ciphersuites = dup_or_null(ciphersuites);
    tls_update(s);
    return 0;
}

static void
do_reconfigure(void *aux)
{
    struct server *s = aux;
    tls_update(s);
    remotes_reconfigure(s);
}

static void
do_tick(void *aux)
{
    struct server *s = aux;
    struct hosted *h;

    HMAP_FOR (h, node, &s->dbs)
        if (h->store)
            store_run(h->store, h->db);
    remotes_update_status(s);
    timer_set_in(&s->tick, TICK);
}

static struct hosted *
self_new(struct server *s)
{
    AUTO_ARENA struct arena arena = ARENA_INIT;
    struct jv v;
    struct schema *schema;

    ASSERT(!jv_parse_copy(&arena, server_schema, sizeof server_schema - 1, &v, NULL));
    struct dberr *err = schema_from_json(&v, &schema);
    ASSERT(!err);
    return hosted_new(s, db_new(schema), MODEL_INTERNAL);
}

struct server *
server_new(struct loop *loop)
{
    struct server *s = xzalloc(sizeof *s);

    s->loop = loop;
    s->id = uuid_random();
    s->source_probe = s->relay_probe = seconds(60);
    hmap_init(&s->dbs);
    hmap_init(&s->locks);
    hmap_init(&s->remotes);
    list_init(&s->sessions);
    task_init(&s->retry, loop, do_retry, s);
    task_init(&s->reconfigure, loop, do_reconfigure, s);
    task_init(&s->reap, loop, do_reap, s);
    timer_init(&s->tick, loop, do_tick, s);
    timer_set_in(&s->tick, TICK);
    s->self = self_new(s);
    server_adopt(s, s->self);
    return s;
}

void
server_free(struct server *s)
{
    struct hosted *h;

    if (!s)
        return;
    source_free(s->source);
    s->source = NULL;
    remotes_free(s);
    while (!list_is_empty(&s->sessions))
        session_free(LIST_ELEM(s->sessions.next, struct session, link));
    HMAP_FOR (h, node, &s->dbs) {
        hmap_remove(&s->dbs, &h->node);
        hosted_free(h);
    }
    task_cancel(&s->retry);
    task_cancel(&s->reconfigure);
    task_cancel(&s->reap);
    timer_cancel(&s->tick);
    hmap_fini(&s->dbs);
    hmap_fini(&s->locks);
    hmap_fini(&s->remotes);
    for (int i = 0; i < TLS_N_FILES; i++)
        free(s->tls_files[i]);
    free(s->tls_peer_ca);
    free(s->tls_protocols);
    free(s->tls_ciphers);
    free(s->tls_ciphersuites);
    free(s->source_target);
    free(s->excluded);
    text_fini(&s->scratch);
    free(s);
}

void
server_set_diff(struct server *s, bool as_diff)
{
    s->no_diff = !as_diff;
}
