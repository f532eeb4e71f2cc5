/* remote - where clients come from: listeners, servers we call ourselves, and lists of both kept in a database.
 *
 * A remote named on the command line is either a target or db:DB,TABLE,COLUMN.  The latter stands for as many targets as the column
 * (or the rows it refers to) names; they are its children and come and go with the database.  A listener that cannot be opened is
 * tried again at every tick.  How a child fares is written back into its row, where that has the columns for it.
 */
#include "base/hash.h"
#include "base/log.h"
#include "io/reconnect.h"
#include "ovsdb/server_impl.h"
#include <errno.h>
#include <string.h>

LOG_MODULE(ovsdb_jsonrpc_server);

struct remote_options {
    span probe; /* negative: as the target's kind wants it */
    span max_backoff;
    bool read_only;
    char *role;
};

struct remote {
    struct hmap_node node;
    struct server *server;
    char *name;
    bool is_db;
    struct hmap children; /* of db: remotes, by target */
    struct remote_options options;
    struct uuid row; /* of a child, zero: it is a string of the column itself */
    bool is_wanted;  /* while reconfiguring */

    struct listener *listener;
    bool complained;
    struct list sessions;
    struct reconnect reconnect; /* of an active one */
    struct timer timer;
    char *last_error;
    instant last_connect, last_disconnect; /* 0: never */
};

#define MAX_SESSIONS 8192
#define PROBE_DEFAULT seconds(5)

static bool
needs_probes(const char *target)
{
    return !strncmp(target, "tcp:", 4) || !strncmp(target, "ssl:", 4) || !strncmp(target, "ptcp:", 5) ||
           !strncmp(target, "pssl:", 5);
}

static span
probe_of(const struct remote *r)
{
    return r->options.probe.ns >= 0 ? r->options.probe : needs_probes(r->name) ? PROBE_DEFAULT : nanos(0);
}

static void
session_configure(struct remote *r, struct session *s)
{
    s->read_only = r->options.read_only;
    free(s->role);
    s->role = r->options.role ? xstrdup(r->options.role) : NULL;
    session_set_probe(s, probe_of(r));
}

/* ---- those who come ---- */

static struct rpc *
make_accepted(struct session *s, void *stream)
{
    return rpc_accept(stream, &session_rpc_ops, s);
}

static void
on_accepted(void *aux, struct stream *stream)
{
    static struct log_limit limit = LOG_LIMIT(5, 5);
    struct remote *r = aux;

    if (r->server->n_sessions >= MAX_SESSIONS) {
        log_warn_rl(&limit, "%s: %s turned away, there are %d clients already", r->name, stream_name(stream),
                    MAX_SESSIONS);
        stream_close(stream);
        return;
    }
    struct session *s = session_new(r->server, r, make_accepted, stream);
    s->is_up = true;
    list_push_back(&r->sessions, &s->remote_link);
    session_configure(r, s);
    r->last_connect = loop_now(r->server->loop);
}

static void
listen_try(struct remote *r)
{
    struct why why;

    if (r->listener)
        return;
    if (listener_open(r->server->loop, r->name, on_accepted, r, &r->listener, &why)) {
        if (!r->complained)
            log_err("%s: listen failed: %s", r->name, why.text);
        r->complained = true;
        free(r->last_error);
        r->last_error = xstrdup(why.text);
        return;
    }
    r->complained = false;
}

/* ---- those we call ---- */

static struct rpc *
make_connected(struct session *s, void *remote)
{
    struct remote *r = remote;
    struct why why;
    struct rpc *rpc = rpc_connect(r->server->loop, r->name, &session_rpc_ops, s, &why);
    if (!rpc && !r->complained) {
        log_err("%s: %s", r->name, why.text);
        r->complained = true;
    }
    return rpc;
}

static void
call_out(struct remote *r)
{
    instant now = loop_now(r->server->loop);

    if (list_is_empty(&r->sessions) && reconnect_run(&r->reconnect, now) == RECONNECT_CONNECT) {
        struct session *s = session_new(r->server, r, make_connected, r);
        if (s) {
            list_push_back(&r->sessions, &s->remote_link);
            session_configure(r, s);
        } else {
            reconnect_down(&r->reconnect, now);
        }
    }
    if (list_is_empty(&r->sessions))
        timer_set(&r->timer, reconnect_next(&r->reconnect));
}

static void
call_due(void *aux)
{
    call_out(aux);
}

void
remote_session_closed(struct remote *r, struct session *s, const char *reason)
{
    if (!r)
        return;
    list_remove(&s->remote_link);
    s->remote = NULL;
    r->last_disconnect = loop_now(r->server->loop);
    if (reason && strcmp(reason, "End of file")) {
        free(r->last_error);
        r->last_error = xstrdup(reason);
    }
    if (!target_is_passive(r->name)) {
        if (s->is_up) {
            r->last_connect = s->connected;
            reconnect_up(&r->reconnect, s->connected);
        }
        reconnect_down(&r->reconnect, r->last_disconnect);
        timer_set(&r->timer, reconnect_next(&r->reconnect));
    }
}

/* ---- life ---- */

static struct remote *
remote_find(const struct hmap *map, const char *name)
{
    struct remote *r;
    HMAP_FOR_HASH (r, node, hash_str(name), map)
        if (!strcmp(r->name, name))
            return r;
    return NULL;
}

static struct remote *
remote_new(struct server *s, struct hmap *map, const char *name)
{
    struct remote *r = xzalloc(sizeof *r);

    r->server = s;
    r->name = xstrdup(name);
    r->is_db = !strncmp(name, "db:", 3);
    r->options = (struct remote_options){.probe = nanos(-1), .max_backoff = seconds(8)};
    hmap_init(&r->children);
    list_init(&r->sessions);
    timer_init(&r->timer, s->loop, call_due, r);
    reconnect_init(&r->reconnect, seconds(1), seconds(8), nanos(0), 1, loop_now(s->loop));
    hmap_insert(map, &r->node, hash_str(name));
    return r;
}

static void
remote_free(struct hmap *map, struct remote *r, const char *why)
{
    struct remote *child;
    struct session *s, *next;

    HMAP_FOR (child, node, &r->children)
        remote_free(&r->children, child, why);
    hmap_fini(&r->children);
    LIST_FOR_SAFE (s, next, remote_link, &r->sessions) {
        list_remove(&s->remote_link);
        s->remote = NULL;
        session_doom(s, why);
    }
    timer_cancel(&r->timer);
    listener_close(r->listener);
    hmap_remove(map, &r->node);
    free(r->options.role);
    free(r->last_error);
    free(r->name);
    free(r);
}

static void
remote_open(struct remote *r)
{
    if (target_is_passive(r->name))
        listen_try(r);
    else
        call_out(r);
}

/* ---- lists in a database ---- */

struct place {
    struct hosted *hosted; /* NULL: that database is not there (any more) */
    struct table *table;
    const struct column *column;
};

static int
place_parse(const struct server *s, const char *name, struct place *p, struct why *why)
{
    AUTO_STR char *copy = xstrdup(name + 3);
    char *save = NULL, *db = strtok_r(copy, ",", &save), *table = strtok_r(NULL, ",", &save),
         *column = strtok_r(NULL, ",", &save);

    *p = (struct place){NULL};
    if (!db || !table || !column || strtok_r(NULL, ",", &save))
        return refuse(why, -EINVAL, "\"%s\": invalid syntax", name);
    p->hosted = server_find(s, db);
    if (!p->hosted)
        return refuse(why, -ENOENT, "\"%s\": no database named %s", name, db);
    p->table = p->hosted->db ? db_table(p->hosted->db, table) : NULL;
    if (!p->table)
        return refuse(why, -ENOENT, "\"%s\": no table named %s", name, table);
    p->column = table_column(p->table->schema, column);
    if (!p->column || p->column->index < COL_FIRST)
        return refuse(why, -ENOENT, "\"%s\": table \"%s\" has no column \"%s\"", name, table, column);
    const struct base_type *key = &p->column->type.key;
    bool fits = p->column->type.value.type == ATOM_VOID &&
                (key->type == ATOM_STRING || (key->type == ATOM_UUID && key->uuid.ref));
    if (!fits)
        return refuse(why, -EINVAL, "\"%s\": table \"%s\" column \"%s\" is not string or UUID references", name, table,
                      column);
    return 0;
}

static const struct datum *
cell_by_name(const struct row *r, const char *name, enum atom_type key, enum atom_type value)
{
    const struct column *c = table_column(r->table->schema, name);
    if (!c || c->index < COL_FIRST || c->type.key.type != key || c->type.value.type != value)
        return NULL;
    return row_cell(r, c->index);
}

static void
options_from_row(struct remote *r, const struct row *row)
{
    const struct datum *d;
    struct remote_options *o = &r->options;

    d = cell_by_name(row, "max_backoff", ATOM_INTEGER, ATOM_VOID);
    o->max_backoff = millis(d ? MAX(datum_integer_or(d, 8000), 1000) : 8000);
    d = cell_by_name(row, "inactivity_probe", ATOM_INTEGER, ATOM_VOID);
    o->probe = d && d->n ? millis(MAX(datum_integer_or(d, 0), 0)) : nanos(-1);
    d = cell_by_name(row, "read_only", ATOM_BOOLEAN, ATOM_VOID);
    bool read_only = d && datum_boolean_or(d, false);
    d = cell_by_name(row, "role", ATOM_STRING, ATOM_VOID);
    const char *role = d ? datum_string_or(d, "") : "";
    bool changed = read_only != o->read_only || strcmp(role, o->role ? o->role : "");
    o->read_only = read_only;
    free(o->role);
    o->role = *role ? xstrdup(role) : NULL;
    r->reconnect.max = o->max_backoff;
    r->row = row->uuid;

    struct session *s, *next;
    LIST_FOR_SAFE (s, next, remote_link, &r->sessions) {
        if (changed)
            session_doom(s, "its remote's rights changed");
        else if (s->probe.ns != probe_of(r).ns)
            session_set_probe(s, probe_of(r));
    }
}

static void
want_child(struct remote *parent, const char *target, const struct row *row)
{
    static struct log_limit limit = LOG_LIMIT(5, 5);
    struct why why;

    if (!*target) {
        if (row)
            log_warn_rl(&limit, "Table `%s' has missing or invalid `target' column", row->table->schema->name);
        return;
    }
    struct remote *r = remote_find(&parent->children, target);
    bool is_new = !r;
    if (is_new && !target_is_valid(target, &why)) {
        log_warn_rl(&limit, "%s: %s", target, why.text);
        return;
    }
    if (is_new)
        r = remote_new(parent->server, &parent->children, target);
    r->is_wanted = true;
    if (row)
        options_from_row(r, row);
    if (is_new)
        remote_open(r);
}

static void
want_children(struct remote *r)
{
    struct place p;

    if (place_parse(r->server, r->name, &p, NULL))
        return;
    const struct table_schema *ref = p.column->type.key.type == ATOM_UUID ? p.column->type.key.uuid.ref : NULL;
    TABLE_FOR(row, p.table)
    {
        const struct datum *d = row_cell(row, p.column->index);
        for (size_t i = 0; i < d->n; i++) {
            union atom a = datum_key(d, i);
            if (!ref) {
                want_child(r, a.string.s, NULL);
                continue;
            }
            const struct row *target = table_find(db_table_of(p.hosted->db, ref), &a.uuid);
            const struct datum *name = target ? cell_by_name(target, "target", ATOM_STRING, ATOM_VOID) : NULL;
            if (target)
                want_child(r, name ? datum_string_or(name, "") : "", target);
        }
    }
}

void
remotes_reconfigure(struct server *s)
{
    struct remote *r, *child;

    HMAP_FOR (r, node, &s->remotes) {
        if (!r->is_db)
            continue;
        HMAP_FOR (child, node, &r->children)
            child->is_wanted = false;
        want_children(r);
        HMAP_FOR (child, node, &r->children)
            if (!child->is_wanted) {
                log_info("%s: remote deconfigured", child->name);
                remote_free(&r->children, child, "remote deconfigured");
            }
    }
}

/* ---- how they fare ---- */

static void
status_int(struct datum_builder *b, const char *key, int64_t value, char room[24])
{
    struct text t = TEXT_INIT;
    json_add_int(&t, value);
    memcpy(room, t.s, t.len + 1);
    union atom k = {.string = {key, (uint32_t) strlen(key)}}, v = {.string = {room, (uint32_t) t.len}};
    builder_add(b, &k, &v);
    text_fini(&t);
}

static void
status_text(struct datum_builder *b, const char *key, const char *value)
{
    union atom k = {.string = {key, (uint32_t) strlen(key)}}, v = {.string = {value, (uint32_t) strlen(value)}};
    builder_add(b, &k, &v);
}

static void
status_names(struct datum_builder *b, const char *key, struct session *s, bool owned, struct text *room)
{
    struct lock_waiter *w;
    LIST_FOR (w, session_link, &s->locks)
        if (lock_is_owner(w) == owned) {
            if (room->len)
                text_addc(room, ' ');
            text_add(room, w->lock->name);
        }
    if (room->len)
        status_text(b, key, text_str(room));
}

static const struct datum *
status_of(struct remote *r, bool *connected)
{
    struct datum_builder b;
    char rooms[4][24];
    AUTO_TEXT struct text held = TEXT_INIT, waiting = TEXT_INIT;
    instant now = loop_now(r->server->loop);
    size_t n = list_size(&r->sessions);
    struct session *s = n ? LIST_ELEM(r->sessions.next, struct session, remote_link) : NULL;
    bool passive = target_is_passive(r->name);

    *connected = s && s->is_up;
    builder_init(&b, ATOM_STRING, ATOM_STRING);
    if (!passive)
        status_text(&b, "state", *connected ? "ACTIVE" : s ? "CONNECTING" : "BACKOFF");
    else if (*connected)
        status_text(&b, "state", "ACTIVE");
    if (r->last_error)
        status_text(&b, "last_error", r->last_error);
    if (*connected)
        status_int(&b, "sec_since_connect", instant_since(now, s->connected).ns / 1000000000, rooms[0]);
    if (r->last_disconnect.ns)
        status_int(&b, "sec_since_disconnect", instant_since(now, r->last_disconnect).ns / 1000000000, rooms[1]);
    if (n > 1)
        status_int(&b, "n_connections", (int64_t) n, rooms[2]);
    if (r->listener && listener_port(r->listener))
        status_int(&b, "bound_port", listener_port(r->listener), rooms[3]);
    if (s) {
        status_names(&b, "locks_held", s, true, &held);
        status_names(&b, "locks_waiting", s, false, &waiting);
    }
    const struct datum *d = datum_build_unique(&b);
    builder_fini(&b);
    return d;
}

static void
put_status(struct txn *txn, struct remote *r, const struct table *t)
{
    struct row *row = table_find(t, &r->row);
    const struct column *status = table_column(t->schema, "status"), *is_up = table_column(t->schema, "is_connected");
    bool connected;

    if (!row)
        return;
    const struct datum *d = status_of(r, &connected);
    if (status && status->type.key.type == ATOM_STRING && status->type.value.type == ATOM_STRING)
        txn_set(txn, row, status, datum_ref(d));
    datum_unref(d);
    if (is_up && is_up->type.key.type == ATOM_BOOLEAN && type_is_scalar(&is_up->type))
        txn_set(txn, row, is_up, datum_of(&(union atom){.boolean = connected}, ATOM_BOOLEAN));
}

void
remotes_update_status(struct server *s)
{
    static struct log_limit limit = LOG_LIMIT(1, 1);
    struct remote *r, *child;
    struct place p;

    HMAP_FOR (r, node, &s->remotes) {
        if (!r->is_db) {
            if (target_is_passive(r->name))
                listen_try(r);
            continue;
        }
        if (place_parse(s, r->name, &p, NULL) || !p.column->type.key.uuid.ref || p.column->type.key.type != ATOM_UUID)
            continue;
        struct txn *txn = txn_begin(p.hosted->db);
        HMAP_FOR (child, node, &r->children) {
            if (target_is_passive(child->name))
                listen_try(child);
            put_status(txn, child, db_table_of(p.hosted->db, p.column->type.key.uuid.ref));
        }
        struct dberr *err = txn_commit(txn);
        if (err) {
            AUTO_STR char *text = dberr_str(err);
            log_warn_rl(&limit, "Failed to update %s: %s", "remote status", text);
            dberr_free(err);
        }
    }
}

/* ---- by name ---- */

int
server_add_remote(struct server *s, const char *name, struct why *why)
{
    struct place p;

    if (remote_find(&s->remotes, name))
        return 0;
    if (!strncmp(name, "db:", 3)) {
        int err = place_parse(s, name, &p, why);
        if (err)
            return err;
        s->watches_dbs = true;
        remote_new(s, &s->remotes, name);
        remotes_reconfigure(s);
        return 0;
    }
    remote_open(remote_new(s, &s->remotes, name));
    return 0;
}

int
server_remove_remote(struct server *s, const char *name, struct why *why)
{
    struct remote *r = remote_find(&s->remotes, name);
    if (!r)
        return refuse(why, -ENOENT, "no such remote");
    log_info("%s: remote deconfigured", name);
    remote_free(&s->remotes, r, "remote deconfigured");
    return 0;
}

static int
cmp_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *) a, *(const char *const *) b);
}

void
remotes_list(const struct server *s, struct text *t)
{
    VEC(const char *) names = VEC_INIT;
    struct remote *r;

    HMAP_FOR (r, node, &s->remotes)
        vec_push(&names, r->name);
    qsort(names.at, names.n, sizeof *names.at, cmp_names);
    for (size_t i = 0; i < names.n; i++)
        text_addf(t, "%s\n", names.at[i]);
    vec_fini(&names);
}

void
remotes_free(struct server *s)
{
    struct remote *r;
    HMAP_FOR (r, node, &s->remotes)
        remote_free(&s->remotes, r, "server is leaving");
}
