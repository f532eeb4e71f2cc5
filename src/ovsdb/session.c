/* session - one client: a table of methods, replies put together as text, and what it holds: monitors, locks, waiting requests.
 *
 * Order.   A commit's updates are written to every client's line when it commits, its reply afterwards: an update always comes before
 *          the reply that caused it.  A durable commit's reply waits for the disk, and other replies may overtake it.
 * Doom.    A client is never cut off in the middle of someone's loop: session_doom() marks it, the server reaps at the end of the turn.
 */
#include "base/hash.h"
#include "base/log.h"
#include "ovsdb/rbac.h"
#include "ovsdb/server_impl.h"
#include <stdio.h>
#include <string.h>

LOG_MODULE(ovsdb_jsonrpc_server);

struct session_monitor {
    struct hmap_node node; /* in session->monitors */
    struct session *session;
    struct hosted *hosted;
    struct monitor *monitor;
    char *id; /* JSON */
};

/* A reply that waits for the disk. */
struct pending_sync {
    struct list link; /* in session->syncs; a link of its own once the session is gone */
    struct session *session;
    char *id;
    struct text result;
};

#define BACKLOG_LIMIT ((size_t) 256 << 20)
#define MESSAGE_LIMIT ((size_t) 256 << 20)

/* ---- replies ---- */

static struct text *
reply_begin(struct session *s, const char *id)
{
    struct text *t = rpc_begin(s->rpc);
    text_add(t, "{\"id\":");
    text_add(t, id);
    text_add(t, ",\"result\":");
    return t;
}

static void
check_backlog(struct session *s)
{
    size_t backlog = rpc_backlog(s->rpc);
    if (backlog <= s->backlog_limit || s->is_doomed)
        return;
    log_warn("%s: sending backlog exceeded maximum size (%zu > %zu bytes), disconnecting", rpc_name(s->rpc), backlog,
             s->backlog_limit);
    session_doom(s, NULL);
}

static void
reply_end(struct session *s)
{
    text_add(rpc_begin(s->rpc), ",\"error\":null}");
    rpc_end(s->rpc);
    check_backlog(s);
}

static void
reply_text(struct session *s, const char *id, const char *result)
{
    text_add(reply_begin(s, id), result);
    reply_end(s);
}

static void
fail_text(struct session *s, const char *id, const char *error_json)
{
    struct text *t = rpc_begin(s->rpc);
    text_add(t, "{\"id\":");
    text_add(t, id);
    text_add(t, ",\"error\":"); /* no "result": the field's C library takes a null one for a reply */
    text_add(t, error_json);
    text_addc(t, '}');
    rpc_end(s->rpc);
}

/* Takes the error. */
static void
fail(struct session *s, const char *id, struct dberr *err)
{
    AUTO_TEXT struct text t = TEXT_INIT;
    dberr_add_json(&t, err);
    dberr_free(err);
    fail_text(s, id, text_str(&t));
}

void
session_notify_lock(struct session *s, const char *method, const char *lock)
{
    struct text *t = rpc_begin(s->rpc);
    text_addf(t, "{\"id\":null,\"method\":\"%s\",\"params\":[", method);
    json_add_string(t, lock, strlen(lock));
    text_add(t, "]}");
    rpc_end(s->rpc);
}

/* ---- which database ---- */

static struct dberr *
find_db(struct session *s, const struct rpc_msg *msg, struct hosted **h)
{
    const struct jv *p = msg->params;

    if (p->type != JV_ARRAY || !p->n || p->at[0].type != JV_STRING)
        return dberr_syntax(p, NULL, "%s request params must begin with <db-name>", msg->method);
    *h = server_find(s->server, p->at[0].s);
    if (!*h)
        return dberr_syntax(p, "unknown database", "%s request specifies unknown database %s", msg->method, p->at[0].s);
    if (!(*h)->db)
        return dberr("database not available", "%s request specifies database %s which is not yet available",
                     msg->method, p->at[0].s);
    return NULL;
}

/* ---- transact ---- */

static bool
owns_lock(void *aux, const char *name)
{
    struct session *s = aux;
    struct lock_waiter *w;
    LIST_FOR (w, session_link, &s->locks)
        if (!strcmp(w->lock->name, name))
            return lock_is_owner(w);
    return false;
}

static void
pending_free(struct pending_sync *p)
{
    list_remove(&p->link);
    text_fini(&p->result);
    free(p->id);
    free(p);
}

static void
on_synced(void *aux, const struct dberr *err)
{
    struct pending_sync *p = aux;

    if (p->session && !p->session->is_doomed) {
        if (err) {
            text_chomp(&p->result, ']');
            text_addc(&p->result, ',');
            dberr_add_json(&p->result, err);
            text_addc(&p->result, ']');
        }
        reply_text(p->session, p->id, text_str(&p->result));
    }
    pending_free(p);
}

static void
reply_when_durable(struct session *s, struct hosted *h, const char *id, const struct text *result)
{
    struct pending_sync *p = xzalloc(sizeof *p);

    p->session = s;
    p->id = xstrdup(id);
    text_addn(&p->result, result->s, result->len);
    list_push_back(&s->syncs, &p->link);
    store_sync(h->store, on_synced, p);
}

/* True: it is answered (or will be, by the disk); false: it has to wait. */
static bool
run_transact(struct session *s, struct hosted *h, const struct jv *params, const char *id, span elapsed,
             int64_t *timeout_ms)
{
    struct text *result = &s->server->scratch;
    struct execution x = {
        .read_only = s->read_only || (s->server->is_backup && h->model == MODEL_STANDALONE),
        .is_relay = h->model == MODEL_RELAY,
        .role = s->role,
        .id = s->role ? stream_peer_cn(rpc_stream(s->rpc)) : NULL,
        .owns_lock = owns_lock,
        .aux = s,
        .elapsed_ms = span_ms(elapsed),
        .may_wait = true,
    };

    text_cut(result, 0);
    execute(h->db, params, &x, result);
    if (x.must_wait) {
        *timeout_ms = x.timeout_ms;
        return false;
    }
    if (x.durable && x.changed && h->store) {
        reply_when_durable(s, h, id, result);
    } else {
        text_addn(reply_begin(s, id), result->s, result->len);
        reply_end(s);
    }
    if (result->room > 1 << 20)
        text_fini(result);
    return true;
}

static void
trigger_free(struct trigger *t)
{
    timer_cancel(&t->timeout);
    list_remove(&t->link);
    list_remove(&t->session_link);
    arena_fini(&t->arena);
    free(t->id);
    free(t);
}

static void
trigger_try(struct trigger *t)
{
    span elapsed = instant_since(loop_now(t->session->server->loop), t->began);
    int64_t timeout_ms;

    if (t->session->is_doomed)
        return;
    if (run_transact(t->session, t->hosted, &t->params, t->id, elapsed, &timeout_ms))
        trigger_free(t);
}

static void
trigger_timeout(void *aux)
{
    trigger_try(aux);
}

static void
wait_transact(struct session *s, struct hosted *h, const struct jv *params, const char *id, int64_t timeout_ms)
{
    struct trigger *t = xzalloc(sizeof *t);

    t->session = s;
    t->hosted = h;
    t->arena = ARENA_INIT;
    t->params = jv_copy(&t->arena, params);
    t->id = xstrdup(id);
    t->began = loop_now(s->server->loop);
    timer_init(&t->timeout, s->server->loop, trigger_timeout, t);
    if (timeout_ms < INT64_MAX / 2000000)
        timer_set_in(&t->timeout, millis(timeout_ms));
    list_push_back(&h->triggers, &t->link);
    list_push_back(&s->triggers, &t->session_link);
    if (list_size(&h->triggers) == 1)
        h->tried_at = h->db->n_commits;
}

void
triggers_retry(struct hosted *h)
{
    struct trigger *t, *next;

    if (h->tried_at == h->db->n_commits)
        return;
    h->tried_at = h->db->n_commits;
    LIST_FOR_SAFE (t, next, link, &h->triggers)
        trigger_try(t);
    if (h->tried_at != h->db->n_commits)
        task_soon(&h->server->retry); /* one of them changed something */
}

void
triggers_cancel(struct hosted *h, const char *why)
{
    struct trigger *t, *next;

    LIST_FOR_SAFE (t, next, link, &h->triggers) {
        if (!t->session->is_doomed)
            fail(t->session, t->id, dberr("canceled", "%s", why));
        trigger_free(t);
    }
}

void
session_pass_reply(struct session *s, const char *id, const struct rpc_msg *msg)
{
    AUTO_TEXT struct text t = TEXT_INIT;

    if (s->is_doomed)
        return;
    if (!msg) {
        fail(s, id, dberr("canceled", "the connection to the relay's source was lost"));
    } else if (msg->type == RPC_ERROR) {
        jv_add(&t, msg->error);
        fail_text(s, id, text_str(&t));
    } else {
        jv_add(reply_begin(s, id), msg->result);
        reply_end(s);
    }
}

static struct trigger *
trigger_find(struct session *s, const char *id)
{
    struct trigger *t;
    LIST_FOR (t, session_link, &s->triggers)
        if (!strcmp(t->id, id))
            return t;
    return NULL;
}

static struct dberr *
do_transact(struct session *s, const struct rpc_msg *msg, const char *id)
{
    struct hosted *h;
    int64_t timeout_ms;
    struct dberr *err = find_db(s, msg, &h);

    if (err)
        return err;
    if (!list_is_empty(&s->triggers) && trigger_find(s, id))
        return dberr_syntax(msg->id, NULL, "duplicate request ID");
    if (h->model == MODEL_RELAY && !s->read_only && relay_forward(h, s, msg->params, id))
        return NULL;
    if (!run_transact(s, h, msg->params, id, nanos(0), &timeout_ms))
        wait_transact(s, h, msg->params, id, timeout_ms);
    return NULL;
}

static void
do_cancel(struct session *s, const struct jv *params)
{
    AUTO_TEXT struct text id = TEXT_INIT;

    if (params->type != JV_ARRAY || params->n != 1)
        return;
    jv_add(&id, &params->at[0]);
    struct trigger *t = trigger_find(s, text_str(&id));
    if (!t)
        return;
    fail_text(s, t->id, "\"canceled\"");
    trigger_free(t);
}

/* ---- what there is ---- */

static int
cmp_hosted(const void *a_, const void *b_)
{
    const struct hosted *const *a = a_, *const *b = b_;
    return strcmp((*a)->name, (*b)->name);
}

static struct dberr *
do_list_dbs(struct session *s, const struct rpc_msg *msg UNUSED, const char *id)
{
    VEC(struct hosted *) all = VEC_INIT;
    struct hosted *h;

    HMAP_FOR (h, node, &s->server->dbs)
        vec_push(&all, h);
    qsort(all.at, all.n, sizeof *all.at, cmp_hosted);
    struct text *t = reply_begin(s, id);
    text_addc(t, '[');
    for (size_t i = 0; i < all.n; i++)
        text_addf(t, i ? ",\"%s\"" : "\"%s\"", all.at[i]->name);
    text_addc(t, ']');
    reply_end(s);
    vec_fini(&all);
    return NULL;
}

static struct dberr *
do_get_schema(struct session *s, const struct rpc_msg *msg, const char *id)
{
    struct hosted *h;
    struct dberr *err = find_db(s, msg, &h);
    if (err)
        return err;
    schema_add_json(reply_begin(s, id), h->db->schema);
    reply_end(s);
    return NULL;
}

static struct dberr *
do_get_server_id(struct session *s, const struct rpc_msg *msg UNUSED, const char *id)
{
    text_addf(reply_begin(s, id), "\"%s\"", uuid_text(&s->server->id).s);
    reply_end(s);
    return NULL;
}

static struct dberr *
do_set_db_change_aware(struct session *s, const struct rpc_msg *msg, const char *id)
{
    const struct jv *p = msg->params;
    if (p->type != JV_ARRAY || p->n != 1 || (p->at[0].type != JV_TRUE && p->at[0].type != JV_FALSE))
        return dberr_syntax(p, NULL, "%s: true or false parameter expected", msg->method);
    s->knows_db_changes = p->at[0].type == JV_TRUE;
    reply_text(s, id, "{}");
    return NULL;
}

/* ---- conversion ---- */

static struct dberr *
convert(struct session *s, struct hosted *h, const struct jv *schema_json)
{
    struct schema *schema;
    struct db *db;

    if (h->model != MODEL_STANDALONE)
        return dberr("not allowed", "database %s cannot be converted here", h->name);
    if (s->read_only || s->server->is_backup)
        return dberr("not allowed", "convert operation not allowed when database server is in read only mode");
    if (rbac_is_on(h->db, s->role))
        return dberr(
            "permission error",
            "RBAC rules for client \"%s\" role \"%s\" prohibit \"convert\" of database %s (only the root role may "
            "convert databases)",
            stream_peer_cn(rpc_stream(s->rpc)), s->role, h->name);
    struct dberr *err = schema_from_json(schema_json, &schema);
    if (err)
        return err;
    if (strcmp(schema->name, h->name)) {
        err = dberr("invalid parameters", "new schema name (%s) does not match database name (%s)", schema->name,
                    h->name);
        schema_free(schema);
        return err;
    }
    err = db_convert(h->db, schema, &db);
    if (err)
        return err;
    err = store_replace(h->store, db, "converted by ovsdb-server");
    if (err) {
        db_free(db);
        return err;
    }
    log_info("committed %s database schema conversion", h->name);
    hosted_set_db(h, db, "schema changed");
    return NULL;
}

static struct dberr *
do_convert(struct session *s, const struct rpc_msg *msg, const char *id)
{
    struct hosted *h;
    struct dberr *err = find_db(s, msg, &h);

    if (err)
        return err;
    if (msg->params->n != 2)
        return dberr_syntax(msg->params, NULL, "array expected");
    err = convert(s, h, &msg->params->at[1]);
    if (!err)
        reply_text(s, id, "{}");
    return err;
}

/* ---- locks ---- */

static struct lock_waiter *
find_lock(struct session *s, const char *name)
{
    struct lock_waiter *w;
    LIST_FOR (w, session_link, &s->locks)
        if (!strcmp(w->lock->name, name))
            return w;
    return NULL;
}

static struct dberr *
lock_name(struct session *s, const struct rpc_msg *msg, const char **name)
{
    const struct jv *p = msg->params;

    if (s->read_only || s->server->is_backup)
        return dberr("not allowed", "lock and unlock methods not allowed, DB server is read only.");
    if (p->type != JV_ARRAY || p->n != 1 || p->at[0].type != JV_STRING || !id_is_valid(p->at[0].s))
        return dberr_syntax(p, NULL, "%s request params must be <id>", msg->method);
    *name = p->at[0].s;
    return NULL;
}

static struct dberr *
do_lock(struct session *s, const struct rpc_msg *msg, const char *id)
{
    const char *name;
    struct dberr *err = lock_name(s, msg, &name);

    if (err)
        return err;
    if (find_lock(s, name))
        return dberr_syntax(msg->params, NULL, "must issue \"unlock\" before new \"%s\"", msg->method);
    struct lock_waiter *w = lock_join(s->server, name, s, !strcmp(msg->method, "steal"));
    reply_text(s, id, lock_is_owner(w) ? "{\"locked\":true}" : "{\"locked\":false}");
    return NULL;
}

static struct dberr *
do_unlock(struct session *s, const struct rpc_msg *msg, const char *id)
{
    const char *name;
    struct dberr *err = lock_name(s, msg, &name);

    if (err)
        return err;
    struct lock_waiter *w = find_lock(s, name);
    if (!w)
        return dberr_syntax(msg->params, NULL, "%s: \"unlock\" without \"lock\" or \"steal\"", msg->method);
    lock_leave(s->server, w);
    reply_text(s, id, "{}");
    return NULL;
}

/* ---- monitors ---- */

static struct session_monitor *
monitor_find(const struct session *s, const char *id)
{
    struct session_monitor *m;
    HMAP_FOR_HASH (m, node, hash_str(id), &s->monitors)
        if (!strcmp(m->id, id))
            return m;
    return NULL;
}

static void
update_begin(struct session_monitor *m, enum monitor_version version, const struct uuid *txn_id)
{
    static const char *const names[] = {"update", "update2", "update3"};
    struct text *t = rpc_begin(m->session->rpc);

    text_add(t, "{\"id\":null,\"method\":\"");
    text_add(t, names[version]);
    text_add(t, "\",\"params\":[");
    text_add(t, m->id);
    text_addc(t, ',');
    if (version == MONITOR_V3) {
        text_addc(t, '"');
        text_add(t, uuid_text(txn_id).s);
        text_add(t, "\",");
    }
}

static void
on_update(void *aux, enum monitor_version version, const struct uuid *txn_id, const struct text *updates)
{
    struct session_monitor *m = aux;

    if (m->session->is_doomed)
        return;
    update_begin(m, version, txn_id);
    struct text *t = rpc_begin(m->session->rpc);
    text_addn(t, updates->s, updates->len);
    text_add(t, "]}");
    rpc_end(m->session->rpc);
    check_backlog(m->session);
}

static const struct monitor_ops monitor_ops = {.update = on_update};

static void
monitor_drop(struct session_monitor *m)
{
    hmap_remove(&m->session->monitors, &m->node);
    monitor_close(m->monitor);
    free(m->id);
    free(m);
}

/* The first reply may be large, and what it takes to hold it is no sign of a client that does not read. */
static void
grant_backlog(struct session *s, size_t reply)
{
    s->backlog_limit = MAX(s->backlog_limit, 4 * reply);
}

static void
reply_contents(struct session *s, struct session_monitor *m, const char *id, enum monitor_version version,
               const struct uuid *last)
{
    struct text *t = reply_begin(s, id);
    size_t before = t->len;

    if (version != MONITOR_V3) {
        monitor_initial(m->monitor, t);
    } else {
        const struct uuid *now = &m->hosted->db->last_id;
        size_t mark = t->len;
        text_addf(t, "[true,\"%s\",", uuid_text(now).s);
        if (!last || !monitor_since(m->monitor, last, t)) {
            text_cut(t, mark);
            text_addf(t, "[false,\"%s\",", uuid_text(now).s);
            monitor_initial(m->monitor, t);
        }
        text_addc(t, ']');
    }
    grant_backlog(s, t->len - before);
    reply_end(s);
}

static struct dberr *
open_monitor(struct session *s, const struct rpc_msg *msg, const char *id, enum monitor_version version)
{
    const struct jv *p = msg->params;
    AUTO_TEXT struct text name = TEXT_INIT;
    struct hosted *h;
    struct uuid last;
    struct dberr *err = find_db(s, msg, &h);

    if (err)
        return err;
    if (version != MONITOR_V1 && s->server->no_monitor_cond) {
        fail_text(s, id, "\"unknown method\"");
        return NULL;
    }
    if (p->n != (version == MONITOR_V3 ? 4 : 3))
        return dberr_syntax(p, NULL, "invalid parameters");
    jv_add(&name, &p->at[1]);
    if (monitor_find(s, text_str(&name)))
        return dberr_syntax(&p->at[1], NULL, "duplicate monitor ID");
    if (version == MONITOR_V3 && p->at[3].type != JV_STRING)
        return dberr_syntax(&p->at[3], NULL, "last-txn-id must be string");
    if (version == MONITOR_V3 && !uuid_parse(p->at[3].s, &last))
        return dberr_syntax(&p->at[3], NULL, "last-txn-id must be UUID format.");

    struct session_monitor *m = xzalloc(sizeof *m);
    err = monitor_open(h->monitors, &p->at[2], version, &monitor_ops, m, &m->monitor);
    if (err) {
        free(m);
        return err;
    }
    m->session = s;
    m->hosted = h;
    m->id = text_steal(&name);
    hmap_insert(&s->monitors, &m->node, hash_str(m->id));
    reply_contents(s, m, id, version, version == MONITOR_V3 ? &last : NULL);
    return NULL;
}

static struct dberr *
do_monitor(struct session *s, const struct rpc_msg *msg, const char *id)
{
    return open_monitor(s, msg, id, MONITOR_V1);
}

static struct dberr *
do_monitor_cond(struct session *s, const struct rpc_msg *msg, const char *id)
{
    return open_monitor(s, msg, id, MONITOR_V2);
}

static struct dberr *
do_monitor_cond_since(struct session *s, const struct rpc_msg *msg, const char *id)
{
    return open_monitor(s, msg, id, MONITOR_V3);
}

static struct dberr *
do_monitor_cond_change(struct session *s, const struct rpc_msg *msg, const char *id)
{
    const struct jv *p = msg->params;
    AUTO_TEXT struct text old = TEXT_INIT, new = TEXT_INIT, updates = TEXT_INIT;

    if (s->server->no_monitor_cond) {
        fail_text(s, id, "\"unknown method\"");
        return NULL;
    }
    if (p->type != JV_ARRAY || p->n != 3)
        return dberr_syntax(p, NULL, "invalid parameters");
    jv_add(&old, &p->at[0]);
    jv_add(&new, &p->at[1]);
    struct session_monitor *m = monitor_find(s, text_str(&old));
    if (!m)
        return dberr_syntax(&p->at[0], NULL, "unknown monitor session");
    if (strcmp(text_str(&old), text_str(&new)) && monitor_find(s, text_str(&new)))
        return dberr_syntax(&p->at[1], NULL, "duplicate monitor ID");
    struct dberr *err = monitor_change(m->monitor, &p->at[2], &updates);
    if (err)
        return err;
    hmap_remove(&s->monitors, &m->node);
    free(m->id);
    m->id = text_steal(&new);
    hmap_insert(&s->monitors, &m->node, hash_str(m->id));
    if (updates.len)
        on_update(m, monitor_version_of(m->monitor), &m->hosted->db->last_id, &updates);
    reply_text(s, id, "{}");
    return NULL;
}

static struct dberr *
do_monitor_cancel(struct session *s, const struct rpc_msg *msg, const char *id)
{
    AUTO_TEXT struct text name = TEXT_INIT;

    if (msg->params->type != JV_ARRAY || msg->params->n != 1)
        return dberr_syntax(msg->params, NULL, "invalid parameters");
    jv_add(&name, &msg->params->at[0]);
    struct session_monitor *m = monitor_find(s, text_str(&name));
    if (!m) {
        fail_text(s, id, "\"unknown monitor\"");
        return NULL;
    }
    monitor_drop(m);
    reply_text(s, id, "{}");
    return NULL;
}

bool
session_monitors(const struct session *s, const struct hosted *h)
{
    struct session_monitor *m;
    HMAP_FOR (m, node, &s->monitors)
        if (m->hosted == h)
            return true;
    return false;
}

void
session_cancel_monitors(struct session *s, const struct hosted *h, bool tell)
{
    struct session_monitor *m;

    HMAP_FOR (m, node, &s->monitors) {
        if (h && m->hosted != h)
            continue;
        if (tell && !s->is_doomed) {
            struct text *t = rpc_begin(s->rpc);
            text_addf(t, "{\"id\":null,\"method\":\"monitor_canceled\",\"params\":[%s]}", m->id);
            rpc_end(s->rpc);
        }
        monitor_drop(m);
    }
}

/* ---- the line ---- */

static const struct method {
    const char *name;
    struct dberr *(*run)(struct session *, const struct rpc_msg *, const char *id);
} methods[] = {
    {"transact", do_transact},
    {"convert", do_convert},
    {"monitor", do_monitor},
    {"monitor_cond", do_monitor_cond},
    {"monitor_cond_since", do_monitor_cond_since},
    {"monitor_cond_change", do_monitor_cond_change},
    {"monitor_cancel", do_monitor_cancel},
    {"get_schema", do_get_schema},
    {"list_dbs", do_list_dbs},
    {"lock", do_lock},
    {"steal", do_lock},
    {"unlock", do_unlock},
    {"set_db_change_aware", do_set_db_change_aware},
    {"get_server_id", do_get_server_id},
};

static void
on_request(struct session *s, const struct rpc_msg *msg)
{
    char few[32];
    AUTO_TEXT struct text many = TEXT_INIT;
    const char *id = few;

    if (msg->id->type == JV_INT) {
        snprintf(few, sizeof few, "%lld", (long long) msg->id->i);
    } else {
        jv_add(&many, msg->id);
        id = text_str(&many);
    }
    for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
        if (!strcmp(methods[i].name, msg->method)) {
            struct dberr *err = methods[i].run(s, msg, id);
            if (err)
                fail(s, id, err);
            return;
        }
    fail_text(s, id, "\"unknown method\"");
}

static void
on_received(void *aux, const struct rpc_msg *msg)
{
    static struct log_limit limit = LOG_LIMIT(5, 5);
    struct session *s = aux;

    if (s->is_doomed)
        return;
    if (msg->params && msg->params->type != JV_ARRAY) {
        log_warn_rl(&limit, "%s: received bad JSON-RPC message: \"params\" must be JSON array", rpc_name(s->rpc));
        session_doom(s, NULL);
        return;
    }
    switch (msg->type) {
    case RPC_REQUEST:
        on_request(s, msg);
        break;
    case RPC_NOTIFY:
        if (!strcmp(msg->method, "cancel"))
            do_cancel(s, msg->params);
        break;
    default:
        log_warn("%s: received unexpected %s message", rpc_name(s->rpc), msg->type == RPC_REPLY ? "reply" : "error");
        session_doom(s, NULL);
    }
}

static void
probe_due(void *aux)
{
    struct session *s = aux;
    span silence = instant_since(loop_now(s->server->loop), s->heard);

    if (silence.ns < s->probe.ns) {
        timer_set(&s->probe_timer, instant_add(s->heard, s->probe));
        return;
    }
    if (s->probed) {
        log_info("%s: no response to inactivity probe after %.1f seconds, disconnecting", rpc_name(s->rpc),
                 silence.ns / 1e9);
        session_doom(s, NULL);
        return;
    }
    s->probed = true;
    rpc_probe(s->rpc);
    timer_set_in(&s->probe_timer, s->probe);
}

void
session_set_probe(struct session *s, span probe)
{
    s->probe = probe;
    if (probe.ns > 0 && s->is_up)
        timer_set_in(&s->probe_timer, probe);
    else
        timer_cancel(&s->probe_timer);
}

static void
on_heard(void *aux)
{
    struct session *s = aux;
    s->heard = loop_now(s->server->loop);
    s->probed = false;
}

static void
on_connected(void *aux)
{
    struct session *s = aux;
    s->is_up = true;
    s->heard = s->connected = loop_now(s->server->loop);
    session_set_probe(s, s->probe);
}

static void
on_closed(void *aux, const char *reason)
{
    session_doom(aux, reason);
}

const struct rpc_ops session_rpc_ops = {
    .connected = on_connected, .heard = on_heard, .received = on_received, .closed = on_closed};

/* ---- life ---- */

struct session *
session_new(struct server *server, struct remote *remote, struct rpc *(*make)(struct session *, void *aux), void *aux)
{
    struct session *s = xzalloc(sizeof *s);

    s->server = server;
    s->remote = remote;
    s->backlog_limit = BACKLOG_LIMIT;
    hmap_init(&s->monitors);
    list_init(&s->locks);
    list_init(&s->triggers);
    list_init(&s->syncs);
    list_init(&s->forwards);
    list_init(&s->remote_link);
    timer_init(&s->probe_timer, server->loop, probe_due, s);
    s->rpc = make(s, aux);
    if (!s->rpc) {
        hmap_fini(&s->monitors);
        free(s);
        return NULL;
    }
    rpc_gather(s->rpc, server->loop);
    rpc_limit(s->rpc, MESSAGE_LIMIT);
    list_push_back(&server->sessions, &s->link);
    server->n_sessions++;
    s->heard = s->connected = loop_now(server->loop);
    return s;
}

void
session_doom(struct session *s, const char *why)
{
    if (s->is_doomed)
        return;
    s->is_doomed = true;
    if (why)
        log_dbg("%s: disconnecting (%s)", rpc_name(s->rpc), why);
    remote_session_closed(s->remote, s, why);
    task_soon(&s->server->reap);
}

void
session_free(struct session *s)
{
    struct trigger *t, *next;

    s->is_doomed = true;
    session_cancel_monitors(s, NULL, false);
    LIST_FOR_SAFE (t, next, session_link, &s->triggers)
        trigger_free(t);
    while (!list_is_empty(&s->locks))
        lock_leave(s->server, LIST_ELEM(s->locks.next, struct lock_waiter, session_link));
    while (!list_is_empty(&s->syncs)) {
        struct pending_sync *p = LIST_ELEM(list_pop_front(&s->syncs), struct pending_sync, link);
        p->session = NULL;
    }
    forwards_forget(s);
    timer_cancel(&s->probe_timer);
    rpc_close(s->rpc);
    list_remove(&s->remote_link);
    list_remove(&s->link);
    s->server->n_sessions--;
    hmap_fini(&s->monitors);
    free(s->role);
    free(s);
}
