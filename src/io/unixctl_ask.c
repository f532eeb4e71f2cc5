/* unixctl_ask - the client's side of the control socket: one question, one answer, on a loop of its own. */
#include "base/log.h"
#include "base/mem.h"
#include "io/dirs.h"
#include "io/json.h"
#include "io/jsonrpc.h"
#include "io/pidfile.h"
#include "io/unixctl.h"
#include <errno.h>
#include <string.h>

struct question {
    struct jsonrpc *rpc;
    bool is_connected, is_answered;
    unsigned n_ignored; /* answers that belong to set-options */
    int err;            /* the connection's */
    char *reason;
    char *result, *error; /* the server's */
};

static void
on_connected(void *q_)
{
    struct question *q = q_;
    q->is_connected = true;
}

static char *
text_of(const json_t *v)
{
    if (json_is_string(v))
        return xstrdup(json_string_value(v));
    struct text t = TEXT_INIT;
    json_add_text(&t, v);
    text_addc(&t, '\n');
    return text_steal(&t);
}

static void
on_received(void *q_, const struct jsonrpc_msg *m)
{
    struct question *q = q_;
    if (m->method || q->is_answered)
        return;
    if (q->n_ignored && m->type == JSONRPC_REPLY) {
        q->n_ignored--;
        return;
    }
    q->is_answered = true;
    if (m->type == JSONRPC_ERROR)
        q->error = text_of(m->error);
    else
        q->result = text_of(m->result);
}

static void
on_closed(void *q_, int err, const char *reason)
{
    struct question *q = q_;
    q->err = err ? err : -ECONNRESET;
    q->reason = xstrdup(reason);
    jsonrpc_close(MOVE(q->rpc));
}

static void
set_true(void *flag)
{
    *(bool *) flag = true;
}

/* The socket of the program or file that 'target' names; NULL with 'why'. */
static char *
socket_of(const char *target, int *err, struct why *why)
{
    if (strchr(target, '/'))
        return xstrdup(target);
    AUTO_STR char *pidfile = xasprintf("%s/%s.pid", dir_run(), target);
    pid_t pid = pidfile_read(pidfile);
    if (pid < 0) {
        *err = refuse(why, pid, "cannot read pidfile \"%s\" (%s)", pidfile, strerror(-pid));
        return NULL;
    }
    return xasprintf("%s/%s.%ld.ctl", dir_run(), target, (long) pid);
}

static int
ask(struct loop *l, struct question *q, const char *path, const char *command, json_t *params, bool json, span timeout,
    struct why *why)
{
    static const struct jsonrpc_ops ops = {.connected = on_connected, .received = on_received, .closed = on_closed};
    AUTO_STR char *name = xasprintf("unix:%s", path);
    bool is_late = false;
    struct timer timer;
    timer_init(&timer, l, set_true, &is_late);
    if (timeout.ns > 0)
        timer_set_in(&timer, timeout);
    q->rpc = jsonrpc_connect(l, name, &ops, q, why);
    if (!q->rpc) {
        json_decref(params);
        return -EINVAL;
    }
    if (json) {
        jsonrpc_request(q->rpc, "set-options", json_pack("[s,s]", "--format", "json"));
        q->n_ignored = 1;
    }
    jsonrpc_request(q->rpc, command, params);
    while (!q->is_answered && q->rpc && !is_late)
        loop_turn(l, true);
    timer_cancel(&timer);
    if (q->is_answered)
        return 0;
    int err = is_late ? -ETIMEDOUT : q->err;
    if (!q->is_connected && !is_late)
        return refuse(why, err, "cannot connect to \"%s\" (%s)", path, strerror(-err));
    return refuse(why, err, "%s: transaction error (%s)", path, is_late ? strerror(-err) : q->reason);
}

int
unixctl_ask(const char *target, const char *command, int argc, const char *const argv[], bool json, span timeout,
            char **result, char **error, struct why *why)
{
    int err = 0;
    AUTO_STR char *path = socket_of(target, &err, why);
    if (!path)
        return err;
    json_t *params = json_array();
    for (int i = 0; i < argc; i++)
        if (json_array_append_new(params, json_string(argv[i]))) {
            json_decref(params);
            return refuse(why, -EINVAL, "argument %d is not UTF-8", i + 1);
        }
    struct loop *l = loop_new();
    struct question q = {.rpc = NULL};
    err = ask(l, &q, path, command, params, json, timeout, why);
    jsonrpc_close(q.rpc);
    loop_free(l);
    free(q.reason);
    if (err) {
        free(q.result);
        free(q.error);
        return err;
    }
    if (q.error) {
        *error = q.error;
        return -EREMOTEIO;
    }
    *result = q.result;
    return 0;
}
