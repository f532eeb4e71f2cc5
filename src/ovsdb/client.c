/* The line of a client: which server, what to ask it, and what to do when it answers, falls silent or goes away.
 *
 * States.
 *   CLIENT_DOWN         no line; io/reconnect decides when to try the next target.
 *   CLIENT_ASKS_SERVER  options.leader_only: what does _Server say about our database?  A follower, or a server that lost its cluster,
 *                       is left for the next target.  A server without _Server has no clusters and will do.
 *   CLIENT_ASKS_SCHEMA  waiting for get_schema; a schema that differs from the one we know drops all rows.  Left out while
 *                       options.known is believed.
 *   CLIENT_ASKS_ROWS    waiting for the first contents: monitor_cond_since, else monitor_cond, else monitor, for a server may refuse what
 *                       it is too old for.
 *   CLIENT_FOLLOWS      updates come by themselves.
 * An answer that makes no sense drops the line: the next contents are whole again. */
#include "ovsdb/client_impl.h"

#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

LOG_MODULE(ovsdb_idl)

#define BACKOFF_MIN_S 1
#define BACKOFF_MAX_S 8

static const struct rpc_ops line_ops;
static void attend(struct client *);

static void
set_error(struct client *c, const char *text)
{
    char *copy = text ? xstrdup(text) : NULL; /* 'text' may be the old one */
    free(c->error);
    c->error = copy;
}

void
client_note_news(struct client *c)
{
    c->has_news = true;
    task_soon(&c->news);
}

/* ---- The line goes up and down. ---- */

static void
line_close(struct client *c)
{
    rpc_close(c->rpc);
    c->rpc = NULL;
    listener_close(c->listener);
    c->listener = NULL;
    c->state = CLIENT_DOWN;
    c->has_lock = c->is_contended = false;
    vec_clear(&c->servers);
    ctxn_lost(c);
}

static void
line_down(struct client *c, const char *reason)
{
    log_dbg("%s: %s", client_target(c), reason);
    set_error(c, reason);
    line_close(c);
    reconnect_down(&c->reconnect, loop_now(c->loop));
    if (c->targets.n)
        c->target = (c->target + 1) % c->targets.n;
    if (c->options.once)
        c->is_final = true;
    client_note_news(c);
    attend(c);
}

static void
on_closed(void *aux, const char *reason)
{
    line_down(aux, reason);
}

static void
on_accepted(void *aux, struct stream *stream)
{
    struct client *c = aux;

    if (c->rpc) {
        stream_close(stream); /* one server at a time */
        return;
    }
    c->rpc = rpc_accept(stream, &line_ops, c);
    line_ops.connected(c);
}

static void
line_open(struct client *c)
{
    const char *target = client_target(c);
    struct why why = {""};
    int err = 0;

    if (target_is_passive(target)) {
        err = listener_open(c->loop, target, on_accepted, c, &c->listener, &why);
    } else {
        c->rpc = rpc_connect(c->loop, target, &line_ops, c, &why);
        err = c->rpc ? 0 : -EINVAL;
    }
    if (err)
        line_down(c, why.text);
}

/* Does what the clock says and sets the timer for the next time. */
static void
attend(struct client *c)
{
    if (c->is_final || !c->targets.n)
        return;
    switch (reconnect_run(&c->reconnect, loop_now(c->loop))) {
    case RECONNECT_CONNECT:
        line_open(c);
        break;
    case RECONNECT_PROBE:
        rpc_probe(c->rpc);
        break;
    case RECONNECT_DROP:
        if (!c->listener || c->rpc) { /* whom we wait for may come late */
            line_down(c, "Connection timed out");
            return;
        }
        break;
    case RECONNECT_REST:
        break;
    }
    if (c->listener && !c->rpc)
        timer_cancel(&c->timer);
    else
        timer_set(&c->timer, reconnect_next(&c->reconnect));
}

static void
on_timer(void *aux)
{
    attend(aux);
}

/* ---- Questions. ---- */

static void
ask(struct client *c, enum client_state state, const char *method, const char *params)
{
    c->state = state;
    c->request = rpc_request(c->rpc, method, params);
}

static void
ask_schema(struct client *c)
{
    AUTO_TEXT struct text t = TEXT_INIT;
    text_addf(&t, "[\"%s\"]", c->database);
    ask(c, CLIENT_ASKS_SCHEMA, "get_schema", text_str(&t));
}

static void
ask_server(struct client *c)
{
    ask(c, CLIENT_ASKS_SERVER, "monitor_cond",
        "[\"_Server\",\"server\",{\"Database\":[{\"columns\":[\"name\",\"model\",\"connected\",\"leader\"]}]}]");
    c->server_request = c->request;
}

static void
add_table_request(struct text *t, const struct ctable *table, bool with_condition)
{
    text_addf(t, "\"%s\":[{\"columns\":[", table->name);
    for (size_t i = 0; i < table->wants.n; i++) {
        if (table->wants.at[i]->col)
            text_addf(t, "\"%s\",", table->wants.at[i]->name);
    }
    text_chomp(t, ',');
    text_addc(t, ']');
    if (with_condition && table->condition)
        text_addf(t, ",\"where\":%s", table->condition);
    text_add(t, "}],");
}

static void
ask_rows(struct client *c)
{
    static const char *const methods[] = {
        [MONITOR_SINCE] = "monitor_cond_since", [MONITOR_COND] = "monitor_cond", [MONITOR_PLAIN] = "monitor"};
    AUTO_TEXT struct text t = TEXT_INIT;
    struct ctable *table;

    text_addf(&t, "[\"%s\",\"m%u\",{", c->database, ++c->monitor_n);
    HMAP_FOR (table, node, &c->tables) {
        if (table->schema && table->is_wanted)
            add_table_request(&t, table, c->kind != MONITOR_PLAIN);
    }
    text_chomp(&t, ',');
    text_addc(&t, '}');
    if (c->kind == MONITOR_SINCE)
        text_addf(&t, ",\"%s\"", uuid_text(&c->last_txn).s);
    text_addc(&t, ']');
    c->is_renewing = false;
    ask(c, CLIENT_ASKS_ROWS, methods[c->kind], text_str(&t));
}

/* The wishes changed: what the server remembers of us does not fit any more. */
static void
renew_rows(struct client *c)
{
    AUTO_TEXT struct text t = TEXT_INIT;
    text_addf(&t, "[\"m%u\"]", c->monitor_n);
    rpc_request(c->rpc, "monitor_cancel", text_str(&t));
    c->last_txn = UUID_ZERO;
    ask_rows(c);
}

/* With a schema that was given there is nothing to ask before the rows. */
static void
ask_first(struct client *c)
{
    if (!c->options.known || c->is_doubted) {
        ask_schema(c);
        return;
    }
    if (!c->schema) {
        c->schema = schema_copy(c->options.known);
        replica_use_schema(c);
    }
    ask_rows(c);
}

static void
ask_lock(struct client *c)
{
    AUTO_TEXT struct text t = TEXT_INIT;
    text_addc(&t, '[');
    json_add_string(&t, c->lock, strlen(c->lock));
    text_addc(&t, ']');
    c->lock_request = rpc_request(c->rpc, "lock", text_str(&t));
}

static void
on_connected(void *aux)
{
    struct client *c = aux;

    reconnect_up(&c->reconnect, loop_now(c->loop));
    c->kind = MONITOR_SINCE;
    if (c->options.leader_only)
        ask_server(c);
    else
        ask_first(c);
    if (c->lock)
        ask_lock(c);
    attend(c);
}

static void
on_heard(void *aux)
{
    struct client *c = aux;
    reconnect_heard(&c->reconnect, loop_now(c->loop));
}

/* ---- Answers. ---- */

static void
protocol_error(struct client *c, const char *what)
{
    log_info("%s: %s", client_target(c), what);
    c->last_txn = UUID_ZERO;
    line_down(c, what);
}

static void
take_schema(struct client *c, const struct jv *result)
{
    struct schema *schema = NULL;
    struct why why;
    struct dberr *err = schema_from_json(result, &schema);

    if (err) {
        dberr_refuse(err, -EBADMSG, &why);
        protocol_error(c, why.text);
        return;
    }
    if (c->schema && schema_equal(c->schema, schema)) {
        schema_free(schema);
    } else {
        replica_forget(c);
        schema_free(c->schema);
        c->schema = schema;
        c->last_txn = UUID_ZERO;
        replica_use_schema(c);
    }
    ask_rows(c);
}

static void
take_rows(struct client *c, const struct jv *result)
{
    struct why why = {"reply to monitor_cond_since has the wrong shape"};
    bool found = false;
    int err;

    if (c->kind == MONITOR_SINCE) {
        struct uuid last;
        if (!jv_is(result, JV_ARRAY) || result->n != 3 || result->at[1].type != JV_STRING ||
            !uuid_parse(result->at[1].s, &last)) {
            protocol_error(c, why.text);
            return;
        }
        found = result->at[0].type == JV_TRUE;
        err = replica_apply(c, &result->at[2], true, !found, &why);
        if (!err)
            c->last_txn = last;
    } else {
        err = replica_apply(c, result, c->kind == MONITOR_COND, true, &why);
    }
    if (err) {
        protocol_error(c, why.text);
        return;
    }
    c->state = CLIENT_FOLLOWS;
    c->is_ready = true;
    set_error(c, NULL);
    client_note_news(c);
    runners_go(c);
}

/* A server that does not know the method answers with an error; so does one that does not have the database. */
static void
refused(struct client *c, const struct rpc_msg *msg)
{
    if (c->state == CLIENT_ASKS_SERVER) {
        ask_first(c);
    } else if (c->state == CLIENT_ASKS_ROWS && c->options.known && !c->is_doubted) {
        c->is_doubted = true;
        ask_schema(c);
    } else if (c->state == CLIENT_ASKS_ROWS && c->kind < MONITOR_PLAIN) {
        c->kind++;
        ask_rows(c);
    } else {
        AUTO_TEXT struct text t = TEXT_INIT;
        if (msg->error->type == JV_STRING)
            text_add(&t, msg->error->s);
        else if (jv_is(jv_get(msg->error, "error"), JV_STRING))
            text_add(&t, jv_get(msg->error, "error")->s);
        else
            jv_add(&t, msg->error);
        line_down(c, text_str(&t));
    }
}

/* ---- _Server: is this the server we want? ---- */

static bool
flag(const struct jv *row, const char *name, bool otherwise)
{
    const struct jv *v = jv_get(row, name);
    return v ? v->type == JV_TRUE : otherwise;
}

static void
take_server_row(struct client *c, const char *uuid_s, const struct jv *update)
{
    struct uuid uuid;
    const struct jv *row = jv_get(update, "initial");
    size_t i = 0;

    if (!uuid_parse(uuid_s, &uuid))
        return;
    if (!row)
        row = jv_get(update, "insert");
    while (i < c->servers.n && !uuid_eq(&c->servers.at[i].uuid, &uuid))
        i++;
    if (i == c->servers.n) {
        vec_reserve(&c->servers, i + 1);
        c->servers.n++;
        c->servers.at[i].uuid = uuid;
        c->servers.at[i].is_ours = row && jv_str_eq(jv_get(row, "name"), c->database);
        c->servers.at[i].ok = !row || !jv_str_eq(jv_get(row, "model"), "clustered") ||
                              (flag(row, "connected", false) && flag(row, "leader", false));
        return;
    }
    row = jv_get(update, "modify");
    if (jv_get(update, "delete")) {
        c->servers.at[i].ok = false;
    } else if (row) { /* a scalar's difference is its new value */
        if (jv_get(row, "leader") || jv_get(row, "connected"))
            c->servers.at[i].ok = flag(row, "leader", true) && flag(row, "connected", true);
    }
}

static bool
server_will_do(const struct client *c)
{
    for (size_t i = 0; i < c->servers.n; i++) {
        if (c->servers.at[i].is_ours)
            return c->servers.at[i].ok;
    }
    return false;
}

static void
take_server(struct client *c, const struct jv *updates)
{
    const struct jv *rows = jv_get(updates, "Database");
    for (size_t i = 0; jv_is(rows, JV_OBJECT) && i < rows->n; i++)
        take_server_row(c, rows->at[2 * i].s, &rows->at[2 * i + 1]);
    if (!server_will_do(c)) {
        log_info("%s: clustered database server is not cluster leader; trying another server", client_target(c));
        line_down(c, "not the leader of the cluster");
    }
}

/* ---- Messages. ---- */

static void
take_reply(struct client *c, const struct rpc_msg *msg)
{
    switch (c->state) {
    case CLIENT_ASKS_SERVER:
        take_server(c, msg->result);
        if (c->rpc)
            ask_first(c);
        break;
    case CLIENT_ASKS_SCHEMA:
        take_schema(c, msg->result);
        break;
    case CLIENT_ASKS_ROWS:
        take_rows(c, msg->result);
        break;
    case CLIENT_DOWN:
    case CLIENT_FOLLOWS:
        break;
    }
}

static void
take_lock_reply(struct client *c, const struct rpc_msg *msg)
{
    c->lock_request = -1;
    if (!c->lock || msg->type != RPC_REPLY)
        return;
    c->has_lock = jv_is(jv_get(msg->result, "locked"), JV_TRUE);
    c->is_contended = !c->has_lock;
    client_note_news(c);
}

static bool
is_our_lock(const struct client *c, const struct rpc_msg *msg)
{
    return c->lock && jv_is(msg->params, JV_ARRAY) && msg->params->n >= 1 && jv_str_eq(&msg->params->at[0], c->lock);
}

static void
take_update(struct client *c, const struct rpc_msg *msg, bool is_2, bool has_txn)
{
    const struct jv *p = msg->params;
    struct why why = {"update has the wrong shape"};
    struct uuid last;
    char id[24];

    if (!jv_is(p, JV_ARRAY) || p->n != (has_txn ? 3 : 2)) {
        protocol_error(c, why.text);
        return;
    }
    if (jv_str_eq(&p->at[0], "server")) {
        take_server(c, &p->at[1]);
        return;
    }
    snprintf(id, sizeof id, "m%u", c->monitor_n);
    if (c->state != CLIENT_FOLLOWS || !jv_str_eq(&p->at[0], id))
        return; /* of a monitor that is cancelled */
    int err = 0;
    if (has_txn && (p->at[1].type != JV_STRING || !uuid_parse(p->at[1].s, &last)))
        err = -EBADMSG;
    if (!err)
        err = replica_apply(c, &p->at[p->n - 1], is_2, false, &why);
    if (err) {
        protocol_error(c, why.text);
        return;
    }
    if (has_txn)
        c->last_txn = last;
    runners_go(c);
}

static void
take_notice(struct client *c, const struct rpc_msg *msg)
{
    if (!strcmp(msg->method, "update3")) {
        take_update(c, msg, true, true);
    } else if (!strcmp(msg->method, "update2")) {
        take_update(c, msg, true, false);
    } else if (!strcmp(msg->method, "update")) {
        take_update(c, msg, false, false);
    } else if (!strcmp(msg->method, "locked") || !strcmp(msg->method, "stolen")) {
        if (is_our_lock(c, msg)) {
            c->has_lock = !strcmp(msg->method, "locked");
            c->is_contended = !c->has_lock;
            client_note_news(c);
        }
    } else if (!strcmp(msg->method, "monitor_canceled")) {
        c->last_txn = UUID_ZERO;
        line_down(c, "the server canceled the monitor"); /* the database was converted or removed: look again */
    }
}

static void
on_message(void *aux, const struct rpc_msg *msg)
{
    struct client *c = aux;

    if (msg->type == RPC_NOTIFY)
        take_notice(c, msg);
    else if (msg->type == RPC_REQUEST)
        ; /* servers ask nothing but echo */
    else if (c->state != CLIENT_FOLLOWS && rpc_is_id(msg, c->request))
        (msg->type == RPC_REPLY ? take_reply : refused)(c, msg);
    else if (rpc_is_id(msg, c->lock_request))
        take_lock_reply(c, msg);
    else
        (void) ctxn_answered(c, msg);
}

static const struct rpc_ops line_ops = {
    .connected = on_connected, .heard = on_heard, .received = on_message, .closed = on_closed};

/* ---- Beginning and end. ---- */

static void
tell_news(void *aux)
{
    struct client *c = aux;

    if (c->is_renewing && c->state == CLIENT_FOLLOWS)
        renew_rows(c);
    if (!c->has_news)
        return;
    c->has_news = false;
    c->seqno++;
    if (c->options.ops && c->options.ops->changed)
        c->options.ops->changed(c->options.aux);
}

struct client *
client_new(struct loop *loop, const struct client_options *options)
{
    struct client *c = xzalloc(sizeof *c);
    c->loop = loop;
    c->options = *options;
    c->database = xstrdup(options->database);
    c->request = c->lock_request = -1;
    hmap_init(&c->tables);
    list_init(&c->in_flight);
    list_init(&c->runners);
    timer_init(&c->timer, loop, on_timer, c);
    task_init(&c->news, loop, tell_news, c);
    return c;
}

void
client_free(struct client *c)
{
    struct ctable *t;

    if (!c)
        return;
    timer_cancel(&c->timer);
    task_cancel(&c->news);
    ctxn_free_all(c);
    rpc_close(c->rpc);
    listener_close(c->listener);
    HMAP_FOR (t, node, &c->tables)
        ctable_free(t);
    hmap_fini(&c->tables);
    schema_free(c->schema);
    targets_fini(&c->targets);
    vec_fini(&c->servers);
    free(c->lock);
    free(c->error);
    free(c->database);
    free(c);
}

/* A comma that no method follows belongs to a file name. */
static bool
starts_target(const char *s)
{
    static const char *const methods[] = {"tcp:", "unix:", "ssl:", "ptcp:", "punix:", "pssl:"};
    for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
        if (!strncmp(s, methods[i], strlen(methods[i])))
            return true;
    }
    return false;
}

void
targets_split(target_list *out, const char *list)
{
    const char *start = list;
    for (const char *p = list;; p++) {
        if (*p && !(*p == ',' && starts_target(p + 1)))
            continue;
        if (p > start)
            vec_push(out, xstrndup(start, p - start));
        if (!*p)
            return;
        start = p + 1;
    }
}

void
targets_shuffle(target_list *t)
{
    for (size_t i = t->n; i > 1; i--) {
        struct uuid u = uuid_random();
        size_t j = uuid_hash(&u) % i;
        char *last = t->at[i - 1];
        t->at[i - 1] = t->at[j];
        t->at[j] = last;
    }
}

void
targets_fini(target_list *t)
{
    for (size_t i = 0; i < t->n; i++)
        free(t->at[i]);
    vec_fini(t);
}

int
client_start(struct client *c, const char *targets, struct why *why)
{
    line_close(c);
    targets_fini(&c->targets);
    c->target = 0;
    targets_split(&c->targets, targets);
    if (!c->targets.n)
        return refuse(why, -EINVAL, "no database server was named");
    for (size_t i = 0; i < c->targets.n; i++) {
        int err = target_is_valid(c->targets.at[i], why) ? 0 : -EINVAL;
        if (err) {
            targets_fini(&c->targets);
            return err;
        }
    }
    if (c->options.shuffle)
        targets_shuffle(&c->targets);
    c->is_final = false;
    reconnect_init(&c->reconnect, seconds(BACKOFF_MIN_S), seconds(BACKOFF_MAX_S), c->options.probe, c->targets.n - 1,
                   loop_now(c->loop));
    attend(c);
    return 0;
}

void
client_reconnect(struct client *c)
{
    line_close(c);
    reconnect_soon(&c->reconnect, loop_now(c->loop));
    attend(c);
}

void
client_keep_trying(struct client *c)
{
    c->options.once = false;
    if (c->is_final) {
        c->is_final = false;
        attend(c);
    }
}

bool
client_is_connected(const struct client *c)
{
    return c->state == CLIENT_FOLLOWS || (c->state == CLIENT_ASKS_ROWS && c->is_ready);
}

bool
client_is_ready(const struct client *c)
{
    return c->is_ready;
}

unsigned
client_seqno(const struct client *c)
{
    return c->seqno;
}

const char *
client_error(const struct client *c)
{
    return c->error;
}

const char *
client_target(const struct client *c)
{
    return c->targets.n ? c->targets.at[c->target] : "";
}

const struct schema *
client_schema(const struct client *c)
{
    return c->schema;
}

/* ---- The lock. ---- */

void
client_set_lock(struct client *c, const char *name)
{
    if (c->lock && name && !strcmp(c->lock, name))
        return;
    if (c->lock && c->state != CLIENT_DOWN) {
        AUTO_TEXT struct text t = TEXT_INIT;
        text_addc(&t, '[');
        json_add_string(&t, c->lock, strlen(c->lock));
        text_addc(&t, ']');
        rpc_request(c->rpc, "unlock", text_str(&t));
    }
    free(c->lock);
    c->lock = name ? xstrdup(name) : NULL;
    c->has_lock = c->is_contended = false;
    if (c->lock && c->state != CLIENT_DOWN)
        ask_lock(c);
}

bool
client_has_lock(const struct client *c)
{
    return c->has_lock;
}

bool
client_is_lock_contended(const struct client *c)
{
    return c->is_contended;
}

/* ---- For tools. ---- */

static void
set_flag(void *aux)
{
    *(bool *) aux = true;
}

/* Turns the loop until done(c, aux) or the time is up. */
static int
wait_until(struct client *c, bool (*done)(struct client *, unsigned), unsigned arg, span timeout)
{
    struct timer timer;
    bool late = false;
    int err = 0;

    timer_init(&timer, c->loop, set_flag, &late);
    if (timeout.ns)
        timer_set_in(&timer, timeout);
    while (!done(c, arg)) {
        if (c->is_final)
            err = -ECONNREFUSED;
        else if (late)
            err = -ETIMEDOUT;
        if (err)
            break;
        loop_turn(c->loop, true);
    }
    timer_cancel(&timer);
    return err;
}

static bool
is_ready(struct client *c, unsigned unused UNUSED)
{
    return c->is_ready && c->state == CLIENT_FOLLOWS && !c->is_renewing;
}

static bool
has_moved(struct client *c, unsigned seqno)
{
    return c->seqno != seqno;
}

int
client_wait_ready(struct client *c, span timeout, struct why *why)
{
    int err = wait_until(c, is_ready, 0, timeout);
    return err ? refuse(why, err, "%s", c->error ? c->error : strerror(-err)) : 0;
}

int
client_wait_change(struct client *c, span timeout)
{
    return wait_until(c, has_moved, c->seqno, timeout);
}
