/* unixctl - the server's side; the client's is unixctl_ask.c, the commands every program has are unixctl_commands.c.
 *
 * States.  A connection is idle or busy with one command (it has an 'id'); what it asks meanwhile waits in 'queue'.  A connection
 *          whose peer or server has gone while busy has no 'rpc' any more and is freed by its answer.
 */
#include "io/unixctl.h"
#include "base/coverage.h"
#include "base/hash.h"
#include "base/hmap.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/vec.h"
#include "io/dirs.h"
#include "io/jsonrpc.h"
#include "io/unixctl_private.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

LOG_MODULE(unixctl)
COVERAGE(unixctl_received)
COVERAGE(unixctl_replied)

#define COVERAGE_TICK seconds(5)

struct command {
    struct hmap_node node;
    const char *name, *usage;
    int min_args, max_args;
    unixctl_fn *fn;
    void *aux;
};

struct unixctl {
    struct loop *loop;
    char *path; /* NULL: no socket */
    struct listener *listener;
    struct list conns;
    struct timer coverage_timer;
};

struct unixctl_conn {
    struct list link;
    struct unixctl *server; /* NULL: it has closed; close after the answer */
    struct jsonrpc *rpc;    /* NULL: the peer has gone */
    json_t *id;             /* of the command being executed; NULL: idle */
    bool wants_json;
    VEC(json_t *) queue; /* [method, params, id] */
    struct task next;
};

static struct hmap commands;

/* ---- commands ---- */

static struct command *
find_command(const char *name)
{
    struct command *c = NULL;
    uint32_t hash = hash_str(name);
    if (!commands.buckets)
        hmap_init(&commands);
    HMAP_FOR_HASH (c, node, hash, &commands)
        if (!strcmp(c->name, name))
            return c;
    return NULL;
}

void
unixctl_command(const char *name, const char *usage, int min_args, int max_args, unixctl_fn *fn, void *aux)
{
    struct command *c = find_command(name);
    if (!c) {
        c = xzalloc(sizeof *c);
        c->name = name;
        hmap_insert(&commands, &c->node, hash_str(name));
    }
    c->usage = usage ? usage : "";
    c->min_args = min_args;
    c->max_args = max_args;
    c->fn = fn;
    c->aux = aux;
}

static int
by_name(const void *a, const void *b)
{
    return strcmp((*(struct command *const *) a)->name, (*(struct command *const *) b)->name);
}

void
unixctl_list_commands(struct text *out)
{
    VEC(struct command *) sorted = VEC_INIT;
    struct command *c;
    HMAP_FOR (c, node, &commands)
        vec_push(&sorted, c);
    qsort(sorted.at, sorted.n, sizeof *sorted.at, by_name);
    text_add(out, "The available commands are:\n");
    for (size_t i = 0; i < sorted.n; i++)
        text_addf(out, "  %-23s %s\n", sorted.at[i]->name, sorted.at[i]->usage);
    vec_fini(&sorted);
}

/* ---- connections ---- */

static void
conn_free(struct unixctl_conn *c)
{
    list_remove(&c->link);
    task_cancel(&c->next);
    jsonrpc_close_after_writes(c->rpc);
    for (size_t i = 0; i < c->queue.n; i++)
        json_decref(c->queue.at[i]);
    vec_fini(&c->queue);
    json_decref(c->id);
    free(c);
}

static void
answer(struct unixctl_conn *c, bool success, json_t *body)
{
    ASSERT(c->id);
    coverage_inc(unixctl_replied);
    json_t *id = MOVE(c->id);
    if (!c->rpc) {
        json_decref(body);
        json_decref(id);
        conn_free(c);
        return;
    }
    (success ? jsonrpc_reply : jsonrpc_error)(c->rpc, body, id);
    if (!c->server)
        conn_free(c);
    else if (c->queue.n)
        task_soon(&c->next);
}

/* Text as clients print it: ending in a line feed unless empty.  Bytes that are not UTF-8 cannot travel in JSON. */
static json_t *
line_string(const char *s)
{
    size_t n = s ? strlen(s) : 0;
    AUTO_TEXT struct text t = TEXT_INIT;
    text_addn(&t, s, n);
    if (n && s[n - 1] != '\n')
        text_addc(&t, '\n');
    json_t *v = json_stringn(text_str(&t), t.len);
    for (size_t i = 0; !v && i < t.len; i++)
        if ((unsigned char) t.s[i] >= 128)
            t.s[i] = '?';
    return v ? v : json_stringn(text_str(&t), t.len);
}

void
unixctl_reply(struct unixctl_conn *c, const char *s)
{
    json_t *body = line_string(s);
    if (c->wants_json)
        body = json_pack("{s:s, s:o}", "reply-format", "plain", "reply", body);
    answer(c, true, body);
}

void
unixctl_reply_json(struct unixctl_conn *c, json_t *body)
{
    answer(c, true, body);
}

void
unixctl_fail(struct unixctl_conn *c, const char *s)
{
    answer(c, false, line_string(s));
}

void
unixctl_failf(struct unixctl_conn *c, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    AUTO_STR char *s = xvasprintf(fmt, args);
    va_end(args);
    unixctl_fail(c, s);
}

bool
unixctl_wants_json(const struct unixctl_conn *c)
{
    return c->wants_json;
}

void
unixctl_set_json(struct unixctl_conn *c, bool wants_json)
{
    c->wants_json = wants_json;
}

static void
execute(struct unixctl_conn *c, const char *name, json_t *params, json_t *id)
{
    coverage_inc(unixctl_received);
    c->id = json_incref(id);
    const struct command *cmd = find_command(name);
    size_t n = json_array_size(params);
    if (!cmd) {
        unixctl_failf(c, "\"%s\" is not a valid command (use \"list-commands\" to see a list of valid commands)", name);
        return;
    }
    if (n < (size_t) cmd->min_args) {
        unixctl_failf(c, "\"%s\" command requires at least %d arguments", name, cmd->min_args);
        return;
    }
    if (n > (size_t) cmd->max_args) {
        unixctl_failf(c, "\"%s\" command takes at most %d arguments", name, cmd->max_args);
        return;
    }
    VEC(const char *) argv = VEC_INIT;
    vec_push(&argv, cmd->name);
    for (size_t i = 0; i < n; i++) {
        const char *arg = json_string_value(json_array_get(params, i));
        if (!arg) {
            unixctl_failf(c, "\"%s\" command has non-string argument", name);
            vec_fini(&argv);
            return;
        }
        vec_push(&argv, arg);
    }
    vec_push(&argv, NULL);
    cmd->fn(c, argv.n - 1, argv.at, cmd->aux);
    vec_fini(&argv);
}

static void
execute_next(void *c_)
{
    struct unixctl_conn *c = c_;
    if (c->id || !c->queue.n)
        return;
    json_t *q = c->queue.at[0];
    vec_remove(&c->queue, 0);
    if (c->queue.n)
        task_soon(&c->next); /* in case this one is answered at once; harmless otherwise */
    execute(c, json_string_value(json_array_get(q, 0)), json_array_get(q, 1), json_array_get(q, 2));
    json_decref(q);
}

static void
on_received(void *c_, const struct jsonrpc_msg *m)
{
    struct unixctl_conn *c = c_;
    if (m->type != JSONRPC_REQUEST || !json_is_array(m->params)) {
        static struct log_limit limit = LOG_LIMIT(5, 5);
        log_warn_rl(&limit, "%s: received something that is not a command", jsonrpc_name(c->rpc));
        if (m->type == JSONRPC_REQUEST)
            jsonrpc_error(c->rpc, json_string("parameters are not an array\n"), json_incref(m->id));
        return;
    }
    if (c->id || c->queue.n) {
        vec_push(&c->queue, json_pack("[s,O,O]", m->method, m->params, m->id));
        return;
    }
    execute(c, m->method, m->params, m->id);
}

static void
on_closed(void *c_, int err, const char *reason)
{
    struct unixctl_conn *c = c_;
    jsonrpc_close(MOVE(c->rpc));
    if (!c->id)
        conn_free(c);
}

static void
on_accepted(void *u_, struct stream *s)
{
    static const struct jsonrpc_ops ops = {.received = on_received, .closed = on_closed};
    struct unixctl *u = u_;
    struct unixctl_conn *c = xzalloc(sizeof *c);
    c->server = u;
    c->rpc = jsonrpc_accept(u->loop, s, &ops, c);
    task_init(&c->next, u->loop, execute_next, c);
    list_push_back(&u->conns, &c->link);
}

/* ---- the server ---- */

static void
coverage_timer_fired(void *u_)
{
    struct unixctl *u = u_;
    coverage_tick();
    timer_set_in(&u->coverage_timer, COVERAGE_TICK);
}

int
unixctl_open(struct loop *l, const char *path, struct unixctl **out, struct why *why)
{
    struct unixctl *u = xzalloc(sizeof *u);
    u->loop = l;
    list_init(&u->conns);
    timer_init(&u->coverage_timer, l, coverage_timer_fired, u);
    if (!path || strcmp(path, "none")) {
        AUTO_STR char *standard = path ? NULL : xasprintf("%s.%ld.ctl", log_program(), (long) getpid());
        u->path = dir_file(dir_run(), path ? path : standard);
        AUTO_STR char *target = xasprintf("punix:%s", u->path);
        int err = listener_open(l, target, on_accepted, u, &u->listener, why);
        if (err) {
            free(u->path);
            free(u);
            return refuse_in(why, err, "could not initialize control socket");
        }
    }
    unixctl_register_standard();
    timer_set_in(&u->coverage_timer, COVERAGE_TICK);
    *out = u;
    return 0;
}

const char *
unixctl_path(const struct unixctl *u)
{
    return u->path;
}

void
unixctl_close(struct unixctl *u)
{
    struct unixctl_conn *c, *next;
    if (!u)
        return;
    listener_close(u->listener);
    LIST_FOR_SAFE (c, next, link, &u->conns) {
        c->server = NULL;
        list_remove(&c->link);
        if (!c->id)
            conn_free(c);
    }
    timer_cancel(&u->coverage_timer);
    free(u->path);
    free(u);
}
