/* hosted - a database being served: its commits go to the file and to those who watch, and wake those who wait. */
#include "base/log.h"
#include "ovsdb/server_impl.h"
#include <string.h>

LOG_MODULE(ovsdb_server);

static struct dberr *
on_write(void *aux, const struct txn *txn)
{
    struct hosted *h = aux;
    ((struct txn *) (uintptr_t) txn)->date_ms = loop_wall_ms(h->server->loop);
    return h->store ? store_write(h->store, txn) : NULL;
}

static void
on_committed(void *aux, const struct txn *txn)
{
    struct hosted *h = aux;

    monitors_commit(h->monitors, txn);
    if (!list_is_empty(&h->triggers))
        task_soon(&h->server->retry);
    if (h->server->watches_dbs)
        task_soon(&h->server->reconfigure);
}

static const struct db_ops ops = {.write = on_write, .committed = on_committed};

static void
attach(struct hosted *h, struct db *db)
{
    h->db = db;
    db->ops = &ops;
    db->aux = h;
    h->monitors = monitors_new(db);
}

struct hosted *
hosted_new(struct server *server, struct db *db, enum model model)
{
    struct hosted *h = xzalloc(sizeof *h);

    h->server = server;
    h->name = xstrdup(db->schema->name);
    h->model = model;
    h->row = uuid_random();
    list_init(&h->triggers);
    attach(h, db);
    return h;
}

static void
sessions_leave(struct hosted *h, bool canceled)
{
    struct session *s;
    LIST_FOR (s, link, &h->server->sessions)
        session_cancel_monitors(s, h, canceled && s->knows_db_changes);
}

void
hosted_free(struct hosted *h)
{
    if (!h)
        return;
    triggers_cancel(h, "database removed");
    sessions_leave(h, true);
    source_free(h->source);
    store_close(h->store);
    monitors_free(h->monitors);
    db_free(h->db);
    free(h->relay_targets);
    free(h->name);
    free(h);
}

void
hosted_set_db(struct hosted *h, struct db *take, const char *comment)
{
    sessions_leave(h, true);
    server_db_changed(h->server, h->name, comment);
    monitors_free(h->monitors);
    db_free(h->db);
    attach(h, take);
    h->tried_at = UINT64_MAX; /* those who wait shall look at it */
    task_soon(&h->server->retry);
    task_soon(&h->server->reconfigure);
    server_describe(h);
}

void
relay_set_schema(struct hosted *h, struct schema *take)
{
    if (h->db) {
        hosted_set_db(h, db_new(take), "schema changed");
        return;
    }
    attach(h, db_new(take));
    server_describe(h);
    task_soon(&h->server->reconfigure);
}
