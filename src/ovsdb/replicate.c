/* replicate - databases copied from another server.
 *
 * Two users.  A backup (--sync-from) copies every database that both servers have, but for excluded tables, and writes what it learns to
 * its own files.  A relay (relay:NAME:TARGET) serves one database it does not keep: the schema comes from the source too, and
 * transactions that write are passed on.
 *
 * States, each left by a reply:
 *   ASK_ID      are we talking to ourselves?             -> ASK_DBS, or STOPPED for good
 *   ASK_DBS     which databases has it?  (backup only)   -> ASK_SCHEMA
 *   ASK_SCHEMA  one request for each database            -> COPYING
 *   COPYING     the first reply to "monitor" replaces what was there, updates follow; each is one transaction here
 * Losing the line leads back to the start, after a wait; the contents stay and are served meanwhile.
 */
#include "base/log.h"
#include "io/reconnect.h"
#include "ovsdb/condition.h"
#include "ovsdb/server_impl.h"
#include <errno.h>
#include <string.h>

LOG_MODULE(replication);

enum state { ASK_ID, ASK_DBS, ASK_SCHEMA, COPYING, STOPPED };

struct copy {
    char *db;
    int64_t schema_request, monitor_request; /* 0: none */
    bool is_copying;
};

struct forward {
    struct list link; /* in source->forwards */
    struct list session_link;
    struct session *session; /* NULL: gone */
    int64_t request;
    char *id;
};

struct replica_source {
    struct server *server;
    struct hosted *relay; /* NULL: a backup's */
    VEC(char *) targets;
    size_t at; /* the one in use */
    struct rpc *rpc;
    struct reconnect reconnect;
    struct timer timer;
    struct task close_soon;
    enum state state;
    int64_t request;
    VEC(struct copy) copies;
    struct list forwards;
    char *error;
    bool is_up;
};

static const char *
target_of(const struct replica_source *r)
{
    return r->targets.at[r->at % r->targets.n];
}

static void
set_error(struct replica_source *r, const char *text)
{
    free(r->error);
    r->error = text ? xstrdup(text) : NULL;
    if (text)
        log_warn("%s: %s", target_of(r), text);
}

static void
set_connected(struct replica_source *r, bool connected)
{
    if (!r->relay || r->relay->is_connected == connected)
        return;
    r->relay->is_connected = connected;
    server_describe(r->relay);
}

static void
copies_clear(struct replica_source *r)
{
    for (size_t i = 0; i < r->copies.n; i++)
        free(r->copies.at[i].db);
    vec_clear(&r->copies);
}

/* ---- what to copy ---- */

static bool
is_excluded(const struct replica_source *r, const char *db, const char *table)
{
    AUTO_STR char *list = !r->relay && r->server->excluded ? xstrdup(r->server->excluded) : NULL;
    AUTO_STR char *want = xasprintf("%s:%s", db, table);
    char *save = NULL;

    for (char *word = list ? strtok_r(list, ", ", &save) : NULL; word; word = strtok_r(NULL, ", ", &save))
        if (!strcmp(word, want))
            return true;
    return false;
}

static bool
is_copied(const struct replica_source *r, const struct schema *theirs, const struct table_schema *ours, const char *db)
{
    return !is_excluded(r, db, ours->name) && schema_table(theirs, ours->name);
}

/* Both sides must agree on what is copied. */
static bool
schema_fits(const struct replica_source *r, const struct schema *theirs, const struct schema *ours)
{
    if (schema_equal(theirs, ours))
        return true;
    log_info("Schema version mismatch, checking if %s can still be replicated or not.", ours->name);
    for (size_t i = 0; i < theirs->n_tables; i++) {
        const struct table_schema *t = &theirs->tables[i], *mine = schema_table(ours, t->name);
        if (is_excluded(r, ours->name, t->name))
            continue;
        if (!mine) {
            log_warn("Table %s not present in the local db schema", t->name);
            return false;
        }
        for (size_t j = COL_FIRST; j < t->n_columns; j++) {
            const struct column *c = table_column(mine, t->columns[j].name);
            if (c && column_type_equal(&c->type, &t->columns[j].type))
                continue;
            log_warn(c ? "Column %s mismatch in local db schema table %s."
                       : "Column %s not present in the local db schema table %s.",
                     t->columns[j].name, t->name);
            return false;
        }
    }
    log_info("%s can be replicated.", ours->name);
    return true;
}

static void
ask_monitor(struct replica_source *r, struct copy *c, const struct schema *theirs, const struct schema *ours)
{
    AUTO_TEXT struct text p = TEXT_INIT;
    bool first = true;

    text_addf(&p, "[\"%s\",[\"replica\",\"%s\"],{", c->db, c->db);
    for (size_t i = 0; i < ours->n_tables; i++) {
        const struct table_schema *t = &ours->tables[i], *their = schema_table(theirs, t->name);
        bool first_column = true;
        if (!is_copied(r, theirs, t, c->db))
            continue;
        text_addf(&p, "%s\"%s\":{\"columns\":[", first ? "" : ",", t->name);
        first = false;
        for (size_t j = COL_FIRST; j < t->n_columns; j++)
            if (table_column(their, t->columns[j].name)) {
                text_addf(&p, "%s\"%s\"", first_column ? "" : ",", t->columns[j].name);
                first_column = false;
            }
        text_add(&p, "]}");
    }
    text_add(&p, "}]");
    c->monitor_request = rpc_request(r->rpc, "monitor", text_str(&p));
}

/* ---- what comes ---- */

static struct dberr *
apply_cells(struct txn *txn, struct row *r, bool exists, const struct jv *new)
{
    for (size_t i = 0; i < new->n; i++) {
        const struct column *c = table_column(r->table->schema, new->at[2 * i].s);
        const struct datum *d;
        if (!c || c->index < COL_FIRST)
            return dberr_syntax(new, "unknown column", "No column %s in table %s.", new->at[2 * i].s,
                                r->table->schema->name);
        struct dberr *err = datum_from_json(&new->at[2 * i + 1], &c->type, NULL, &d);
        if (err)
            return err;
        if (exists)
            txn_set(txn, r, c, d);
        else
            row_put(r, c, d);
    }
    return NULL;
}

static struct dberr *
apply_row(struct txn *txn, struct table *t, const struct jv *key, const struct jv *update)
{
    struct uuid u;
    const struct jv *new = jv_get(update, "new");

    if (!uuid_parse_n(key->s, key->n, &u))
        return dberr_syntax(key, NULL, "bad row UUID");
    if (update->type != JV_OBJECT)
        return dberr_syntax(update, NULL, "<row-update> is not object");
    struct row *r = table_find(t, &u);
    if (!new || new->type != JV_OBJECT) {
        if (!r)
            return dberr("consistency violation", "a row is deleted that is not there");
        txn_delete(txn, r);
        return NULL;
    }
    if (r)
        return apply_cells(txn, r, true, new);
    r = row_new(t, &u);
    struct dberr *err = apply_cells(txn, r, false, new);
    if (err)
        row_free(r);
    else
        txn_insert(txn, r);
    return err;
}

/* Deletes the rows of the table that the first reply does not name. */
static void
drop_others(struct txn *txn, struct table *t, const struct jv *named)
{
    row_list rows = VEC_INIT;
    struct hmap keep;
    struct kept {
        struct hmap_node node;
        struct uuid u;
    } *kept = xcalloc((named ? named->n : 0) + 1, sizeof *kept), *k;

    hmap_init(&keep);
    for (size_t i = 0; named && i < named->n; i++)
        if (uuid_parse_n(named->at[2 * i].s, named->at[2 * i].n, &kept[i].u))
            hmap_insert(&keep, &kept[i].node, uuid_hash(&kept[i].u));
    TABLE_FOR(r, t)
    {
        HMAP_FOR_HASH (k, node, uuid_hash(&r->uuid), &keep)
            if (uuid_eq(&k->u, &r->uuid))
                break;
        if (!k)
            vec_push(&rows, r);
    }
    for (size_t i = 0; i < rows.n; i++)
        txn_delete(txn, rows.at[i]);
    vec_fini(&rows);
    hmap_fini(&keep);
    free(kept);
}

static struct dberr *
apply_updates(struct replica_source *r, struct hosted *h, const struct jv *updates, bool reset)
{
    struct txn *txn;
    struct dberr *err = NULL;

    if (!jv_is(updates, JV_OBJECT))
        return dberr_syntax(updates, NULL, "<table-updates> is not an object");
    txn = txn_begin(h->db);
    for (size_t i = 0; reset && i < h->db->schema->n_tables; i++)
        if (!is_excluded(r, h->name, h->db->schema->tables[i].name))
            drop_others(txn, &h->db->tables[i], jv_get(updates, h->db->schema->tables[i].name));
    for (size_t i = 0; !err && i < updates->n; i++) {
        struct table *t = db_table(h->db, updates->at[2 * i].s);
        const struct jv *rows = &updates->at[2 * i + 1];
        if (!t)
            err = dberr_syntax(NULL, NULL, "unknown table %s", updates->at[2 * i].s);
        else if (rows->type != JV_OBJECT)
            err = dberr_syntax(rows, NULL, "<table-update> for table is not object");
        for (size_t j = 0; !err && j < rows->n; j++)
            err = apply_row(txn, t, &rows->at[2 * j], &rows->at[2 * j + 1]);
    }
    if (!err)
        return txn_commit(txn);
    txn_abort(txn);
    return err;
}

static void
give_up(struct replica_source *r, const char *why)
{
    set_error(r, why);
    r->state = STOPPED;
    task_soon(&r->close_soon);
}

static void
retry_later(struct replica_source *r, const char *why)
{
    set_error(r, why);
    task_soon(&r->close_soon);
}

static void
on_updates(struct replica_source *r, const char *db, const struct jv *updates, bool reset)
{
    struct hosted *h = server_find(r->server, db);
    struct dberr *err = h && h->db ? apply_updates(r, h, updates, reset) : NULL;

    if (!err)
        return;
    AUTO_STR char *text = dberr_str(err);
    dberr_free(err);
    retry_later(r, text);
}

/* ---- replies ---- */

static void
ask_schema(struct replica_source *r, const char *db)
{
    AUTO_STR char *params = xasprintf("[\"%s\"]", db);
    struct copy c = {.db = xstrdup(db), .schema_request = rpc_request(r->rpc, "get_schema", params)};
    vec_push(&r->copies, c);
}

static void
on_id(struct replica_source *r, const struct rpc_msg *msg)
{
    if (msg->type == RPC_REPLY && jv_str_eq(msg->result, uuid_text(&r->server->id).s)) {
        give_up(r, "Self replicating is not allowed");
        return;
    }
    if (r->relay) {
        r->state = ASK_SCHEMA;
        ask_schema(r, r->relay->name);
        return;
    }
    r->state = ASK_DBS;
    r->request = rpc_request(r->rpc, "list_dbs", "[]");
}

static void
on_dbs(struct replica_source *r, const struct jv *dbs)
{
    if (!jv_is(dbs, JV_ARRAY)) {
        retry_later(r, "list_dbs response is not array");
        return;
    }
    r->state = ASK_SCHEMA;
    for (size_t i = 0; i < dbs->n; i++) {
        struct hosted *h = dbs->at[i].type == JV_STRING ? server_find(r->server, dbs->at[i].s) : NULL;
        if (h && h->model == MODEL_STANDALONE)
            ask_schema(r, h->name);
    }
    if (!r->copies.n)
        log_info("Nothing to replicate.");
}

static void
on_schema(struct replica_source *r, struct copy *c, const struct jv *v)
{
    struct schema *theirs;
    struct hosted *h = server_find(r->server, c->db);
    struct dberr *err = schema_from_json(v, &theirs);

    c->schema_request = 0;
    if (err || !h) {
        dberr_free(err);
        retry_later(r, "its schema cannot be read");
        return;
    }
    if (r->relay && (!h->db || !schema_equal(theirs, h->db->schema)))
        relay_set_schema(h, schema_copy(theirs));
    if (schema_fits(r, theirs, h->db->schema))
        ask_monitor(r, c, theirs, h->db->schema);
    else
        log_warn("%s cannot be replicated.", c->db);
    schema_free(theirs);
}

static void
on_contents(struct replica_source *r, struct copy *c, const struct jv *updates)
{
    c->monitor_request = 0;
    c->is_copying = true;
    r->state = COPYING;
    log_info("Monitor request received. Resetting the database");
    on_updates(r, c->db, updates, true);
    set_connected(r, true);
}

static bool
on_forwarded(struct replica_source *r, const struct rpc_msg *msg)
{
    struct forward *f, *next;

    LIST_FOR_SAFE (f, next, link, &r->forwards) {
        if (!rpc_is_id(msg, f->request))
            continue;
        forward_answer(f, msg);
        return true;
    }
    return false;
}

static void
on_reply(struct replica_source *r, const struct rpc_msg *msg)
{
    if (on_forwarded(r, msg))
        return;
    if (r->state == ASK_ID && rpc_is_id(msg, r->request)) {
        on_id(r, msg); /* an old server does not know the question, which answers it */
        return;
    }
    if (msg->type == RPC_ERROR) {
        retry_later(r, "it refused a request");
        return;
    }
    if (r->state == ASK_DBS && rpc_is_id(msg, r->request)) {
        on_dbs(r, msg->result);
        return;
    }
    for (size_t i = 0; i < r->copies.n; i++) {
        struct copy *c = &r->copies.at[i];
        if (c->schema_request && rpc_is_id(msg, c->schema_request)) {
            on_schema(r, c, msg->result);
            return;
        }
        if (c->monitor_request && rpc_is_id(msg, c->monitor_request)) {
            on_contents(r, c, msg->result);
            return;
        }
    }
}

static void
on_notify(struct replica_source *r, const struct rpc_msg *msg)
{
    const struct jv *p = msg->params;

    if (p->type != JV_ARRAY || !p->n || p->at[0].type != JV_ARRAY || p->at[0].n != 2 ||
        p->at[0].at[1].type != JV_STRING)
        return;
    if (!strcmp(msg->method, "update") && p->n == 2)
        on_updates(r, p->at[0].at[1].s, &p->at[1], false);
}

/* ---- the line ---- */

static void source_run(void *aux);

static void
line_down(struct replica_source *r)
{
    instant now = loop_now(r->server->loop);

    rpc_close(r->rpc);
    r->rpc = NULL;
    r->is_up = false;
    copies_clear(r);
    forwards_fail(r);
    set_connected(r, false);
    task_cancel(&r->close_soon);
    if (r->state == STOPPED)
        return;
    r->at++;
    reconnect_down(&r->reconnect, now);
    timer_set(&r->timer, reconnect_next(&r->reconnect));
}

static void
on_connected(void *aux)
{
    struct replica_source *r = aux;

    r->is_up = true;
    reconnect_up(&r->reconnect, loop_now(r->server->loop));
    timer_set(&r->timer, reconnect_next(&r->reconnect));
    set_error(r, NULL);
    r->state = ASK_ID;
    r->request = rpc_request(r->rpc, "get_server_id", "[]");
}

static void
on_heard(void *aux)
{
    struct replica_source *r = aux;
    reconnect_heard(&r->reconnect, loop_now(r->server->loop));
}

static void
on_received(void *aux, const struct rpc_msg *msg)
{
    if (msg->type == RPC_NOTIFY)
        on_notify(aux, msg);
    else if (msg->type != RPC_REQUEST)
        on_reply(aux, msg);
}

static void
on_closed(void *aux, const char *reason)
{
    struct replica_source *r = aux;
    log_info("%s: connection lost (%s)", target_of(r), reason);
    line_down(r);
}

static const struct rpc_ops ops = {
    .connected = on_connected, .heard = on_heard, .received = on_received, .closed = on_closed};

static void
close_now(void *aux)
{
    line_down(aux);
}

static void
source_run(void *aux)
{
    struct replica_source *r = aux;
    struct why why;

    switch (reconnect_run(&r->reconnect, loop_now(r->server->loop))) {
    case RECONNECT_CONNECT:
        r->rpc = rpc_connect(r->server->loop, target_of(r), &ops, r, &why);
        if (!r->rpc) {
            set_error(r, why.text);
            line_down(r);
            return;
        }
        break;
    case RECONNECT_PROBE:
        rpc_probe(r->rpc);
        break;
    case RECONNECT_DROP:
        line_down(r);
        return;
    case RECONNECT_REST:
        break;
    }
    timer_set(&r->timer, reconnect_next(&r->reconnect));
}

static struct replica_source *
source_new(struct server *s, struct hosted *relay, const char *targets, span probe)
{
    struct replica_source *r = xzalloc(sizeof *r);
    AUTO_STR char *copy = xstrdup(targets);
    char *save = NULL;

    r->server = s;
    r->relay = relay;
    list_init(&r->forwards);
    for (char *t = strtok_r(copy, ",", &save); t; t = strtok_r(NULL, ",", &save))
        vec_push(&r->targets, xstrdup(t));
    reconnect_init(&r->reconnect, seconds(1), seconds(8), probe, (unsigned) r->targets.n, loop_now(s->loop));
    timer_init(&r->timer, s->loop, source_run, r);
    task_init(&r->close_soon, s->loop, close_now, r);
    if (r->targets.n)
        timer_set(&r->timer, loop_now(s->loop));
    return r;
}

void
source_free(struct replica_source *r)
{
    if (!r)
        return;
    timer_cancel(&r->timer);
    task_cancel(&r->close_soon);
    rpc_close(r->rpc);
    forwards_fail(r);
    copies_clear(r);
    vec_fini(&r->copies);
    for (size_t i = 0; i < r->targets.n; i++)
        free(r->targets.at[i]);
    vec_fini(&r->targets);
    free(r->error);
    free(r);
}

void
source_update(struct server *s)
{
    source_free(s->source);
    s->source = NULL;
    if (s->is_backup && s->source_target)
        s->source = source_new(s, NULL, s->source_target, s->source_probe);
}

struct replica_source *
relay_open(struct hosted *h, const char *targets, struct why *why)
{
    AUTO_STR char *copy = xstrdup(targets);
    char *save = NULL;

    for (char *t = strtok_r(copy, ",", &save); t; t = strtok_r(NULL, ",", &save))
        if (!target_is_valid(t, why) || target_is_passive(t)) {
            refuse_in(why, -EINVAL, "%s", t);
            return NULL;
        }
    return source_new(h->server, h, targets, h->server->relay_probe);
}

/* ---- passing on ---- */

static bool
writes(const struct jv *params)
{
    static const char *const ops_that_write[] = {"insert", "update", "mutate", "delete", "commit"};

    for (size_t i = 1; i < params->n; i++)
        for (size_t j = 0; j < ARRAY_SIZE(ops_that_write); j++)
            if (jv_str_eq(jv_get(&params->at[i], "op"), ops_that_write[j]))
                return true;
    return false;
}

bool
relay_forward(struct hosted *h, struct session *s, const struct jv *params, const char *id)
{
    struct replica_source *r = h->source;
    AUTO_TEXT struct text t = TEXT_INIT;

    if (!r->is_up || r->state != COPYING || !writes(params))
        return false;
    struct forward *f = xzalloc(sizeof *f);
    jv_add(&t, params);
    f->session = s;
    f->id = xstrdup(id);
    f->request = rpc_request(r->rpc, "transact", text_str(&t));
    list_push_back(&r->forwards, &f->link);
    list_push_back(&s->forwards, &f->session_link);
    return true;
}

static void
forward_free(struct forward *f)
{
    list_remove(&f->link);
    list_remove(&f->session_link);
    free(f->id);
    free(f);
}

void
forward_answer(struct forward *f, const struct rpc_msg *msg)
{
    if (f->session)
        session_pass_reply(f->session, f->id, msg);
    forward_free(f);
}

void
forwards_fail(struct replica_source *r)
{
    struct forward *f, *next;

    LIST_FOR_SAFE (f, next, link, &r->forwards) {
        if (f->session)
            session_pass_reply(f->session, f->id, NULL);
        forward_free(f);
    }
}

void
forwards_forget(struct session *s)
{
    while (!list_is_empty(&s->forwards)) {
        struct forward *f = CONTAINER_OF(list_pop_front(&s->forwards), struct forward, session_link);
        f->session = NULL;
    }
}

/* ---- for the operator ---- */

void
source_status(const struct server *s, struct text *t)
{
    const struct replica_source *r = s->source;

    text_addf(t, "state: %s\n", s->is_backup ? "backup" : "active");
    if (!r)
        return;
    if (!r->is_up) {
        text_addf(t, r->state == STOPPED || r->error ? "not connected to %s\n" : "connecting: %s\n", target_of(r));
        return;
    }
    text_addf(t, r->state == COPYING ? "replicating: %s\n" : "connecting: %s\n", target_of(r));
    text_add(t, "database: ");
    for (size_t i = 0; i < r->copies.n; i++)
        text_addf(t, i ? ", %s" : "%s", r->copies.at[i].db);
    text_addc(t, '\n');
    if (s->excluded && *s->excluded)
        text_addf(t, "exclude: %s\n", s->excluded);
}

void
source_set_probe(struct replica_source *r, span probe)
{
    if (r)
        r->reconnect.probe = probe;
}
