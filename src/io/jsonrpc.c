/* jsonrpc - see the header.
 *
 * Theory.  Bytes are parsed where the stream left them.  Only a message that is cut by the end of a read is copied: its head waits in 'head',
 *          the splitter remembers where it stands in it, and when the rest comes exactly that rest is appended.  So every byte is
 *          looked at once and copied at most once, however the network cuts the messages.
 *
 * States.  Alive; failed: closed() is to be called by the task 'fail', nothing is sent or received any more; gone: closed by the owner,
 *          the memory lasts until the turn's end.
 */
#include "io/jsonrpc.h"
#include "base/coverage.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/json.h"
#include <errno.h>
#include <string.h>

LOG_MODULE(unixctl_rpc) /* 'jsonrpc' is the database's */
COVERAGE(jsonrpc_received)
COVERAGE(jsonrpc_sent)

#define DEFAULT_PORT 6640
#define KEEP_ROOM 16384 /* more memory than this is given back after a message */
#define OWN_AT 2048     /* a text at least that long is handed to the stream instead of copied */
static const char probe_id[] = "echo";

const struct jsonrpc_limits jsonrpc_default_limits = {
    .max_message = 256u << 20, .max_backlog = 1u << 30, .max_depth = 100};

struct jsonrpc {
    struct loop *loop;
    struct loop_guest guest;
    struct stream *stream;
    const struct jsonrpc_ops *ops;
    void *aux;
    struct jsonrpc_limits limits;
    bool has_failed, is_gone;
    int err;
    struct why reason;
    struct task fail;

    struct json_splitter splitter;
    struct text head; /* the beginning of a message whose end has not come */
    struct text out;  /* the message being written */
    json_t *last_id;

    span probe;
    struct timer probe_timer;
    instant last_heard;
    bool is_probing; /* an echo of ours has no answer yet */
};

/* ---- the end ---- */

static void
free_contents(struct jsonrpc *j)
{
    task_cancel(&j->fail);
    timer_cancel(&j->probe_timer);
    text_fini(&j->head);
    text_fini(&j->out);
    json_decref(j->last_id);
    loop_guest_leave(&j->guest);
    loop_free_later(j->loop, j);
    j->is_gone = true;
}

void
jsonrpc_close(struct jsonrpc *j)
{
    if (!j)
        return;
    ASSERT(!j->is_gone);
    stream_close(j->stream);
    free_contents(j);
}

void
jsonrpc_close_after_writes(struct jsonrpc *j)
{
    if (!j)
        return;
    ASSERT(!j->is_gone);
    stream_close_after_writes(j->stream);
    free_contents(j);
}

static void
evict(struct loop_guest *g)
{
    jsonrpc_close(CONTAINER_OF(g, struct jsonrpc, guest));
}

static void
report_failure(void *j_)
{
    struct jsonrpc *j = j_;
    j->ops->closed(j->aux, j->err, j->reason.text);
}

static void
fail(struct jsonrpc *j, int err)
{
    if (j->has_failed)
        return;
    j->has_failed = true;
    j->err = err;
    timer_cancel(&j->probe_timer);
    stream_pause(j->stream, true);
    task_soon(&j->fail);
}

static void
misbehaved(struct jsonrpc *j, int err)
{
    static struct log_limit limit = LOG_LIMIT(5, 5);
    if (!j->has_failed)
        log_warn_rl(&limit, "%s: %s, closing the connection", jsonrpc_name(j), j->reason.text);
    fail(j, err);
}

/* ---- receiving ---- */

static bool
is_null(const json_t *v)
{
    return !v || json_is_null(v);
}

static int
classify(json_t *v, struct jsonrpc_msg *m, struct why *why)
{
    if (!json_is_object(v))
        return refuse(why, -EPROTO, "message is not a JSON object");
    json_t *method = json_object_get(v, "method");
    *m = (struct jsonrpc_msg){.params = json_object_get(v, "params"),
                              .id = json_object_get(v, "id"),
                              .result = json_object_get(v, "result"),
                              .error = json_object_get(v, "error")};
    if (is_null(method)) {
        if (is_null(m->id))
            return refuse(why, -EPROTO, "reply without \"id\"");
        if (!is_null(m->result) && !is_null(m->error))
            return refuse(why, -EPROTO, "reply with both \"result\" and \"error\"");
        if (!m->result && !m->error)
            return refuse(why, -EPROTO, "message with neither \"method\" nor \"result\" nor \"error\"");
        m->type = is_null(m->error) ? JSONRPC_REPLY : JSONRPC_ERROR;
        return 0;
    }
    if (!json_is_string(method))
        return refuse(why, -EPROTO, "\"method\" is not a string");
    if (!json_is_array(m->params) && !json_is_object(m->params))
        return refuse(why, -EPROTO, "\"params\" is not an array");
    if (!is_null(m->result) || !is_null(m->error))
        return refuse(why, -EPROTO, "request with \"result\" or \"error\"");
    m->method = json_string_value(method);
    m->type = is_null(m->id) ? JSONRPC_NOTIFY : JSONRPC_REQUEST;
    return 0;
}

static bool
is_echo_matter(struct jsonrpc *j, const struct jsonrpc_msg *m)
{
    if (m->method && !strcmp(m->method, "echo")) {
        if (m->type == JSONRPC_REQUEST)
            jsonrpc_reply(j, json_incref(m->params), json_incref(m->id));
        return true;
    }
    return !m->method && json_is_string(m->id) && !strcmp(json_string_value(m->id), probe_id);
}

static void
take_message(struct jsonrpc *j, const char *bytes, size_t n)
{
    json_t *v = NULL;
    struct jsonrpc_msg m;
    int err = json_parse_text(bytes, n, &v, &j->reason);
    if (err)
        refuse_in(&j->reason, err, "received bad JSON");
    else
        err = classify(v, &m, &j->reason);
    if (err) {
        misbehaved(j, err);
    } else {
        coverage_inc(jsonrpc_received);
        log_dbg("%s: received %.*s", jsonrpc_name(j), (int) MIN(n, 4096u), bytes);
        if (!is_echo_matter(j, &m))
            j->ops->received(j->aux, &m);
    }
    json_decref(v);
}

static void
take_head(struct jsonrpc *j)
{
    struct text head = j->head;
    j->head = TEXT_INIT;
    take_message(j, head.s, head.len);
    if (!j->is_gone && head.room <= KEEP_ROOM && !j->head.s) {
        text_cut(&head, 0);
        j->head = head;
    } else {
        text_fini(&head);
    }
}

static void
on_received(void *j_, const void *bytes_, size_t n)
{
    struct jsonrpc *j = j_;
    const char *bytes = bytes_;
    j->last_heard = loop_now(j->loop);
    j->is_probing = false;
    while (n && !j->has_failed && !j->is_gone) {
        size_t used;
        bool done;
        int err = json_split(&j->splitter, bytes, n, &used, &done);
        if (err) {
            refuse(&j->reason, err,
                   err == -E2BIG ? "received JSON nested too deeply" : "received bytes that are not JSON");
            misbehaved(j, err);
            return;
        }
        if (j->head.len + used > j->limits.max_message) {
            misbehaved(
                j, refuse(&j->reason, -EMSGSIZE, "received a message of more than %zu bytes", j->limits.max_message));
            return;
        }
        if (!done || j->head.len)
            text_addn(&j->head, bytes, used);
        if (done && j->head.len)
            take_head(j);
        else if (done)
            take_message(j, bytes, used);
        bytes += used;
        n -= used;
    }
}

static void
on_connected(void *j_)
{
    struct jsonrpc *j = j_;
    j->last_heard = loop_now(j->loop);
    if (j->ops->connected)
        j->ops->connected(j->aux);
}

static void
on_drained(void *j_)
{
    struct jsonrpc *j = j_;
    if (j->ops->drained && !j->has_failed)
        j->ops->drained(j->aux);
}

static void
on_closed(void *j_, int err)
{
    struct jsonrpc *j = j_;
    if (j->has_failed)
        return;
    if (!err)
        refuse(&j->reason, 0, "connection closed by peer");
    else
        refuse(&j->reason, err, "connection dropped (%s)", strerror(-err));
    fail(j, err);
}

static const struct stream_ops on_stream = {
    .connected = on_connected, .received = on_received, .drained = on_drained, .closed = on_closed};

/* ---- the beginning ---- */

static void
on_probe_timer(void *j_)
{
    struct jsonrpc *j = j_;
    instant due = instant_add(j->last_heard, j->probe);
    if (instant_before(loop_now(j->loop), due)) {
        timer_set(&j->probe_timer, due);
    } else if (!j->is_probing) {
        j->is_probing = true;
        jsonrpc_request_id(j, "echo", json_array(), json_string(probe_id));
        timer_set_in(&j->probe_timer, j->probe);
    } else {
        refuse(&j->reason, 0, "no response to inactivity probe after %.3g seconds", j->probe.ns / 1e9);
        static struct log_limit limit = LOG_LIMIT(5, 5);
        log_err_rl(&limit, "%s: %s, disconnecting", jsonrpc_name(j), j->reason.text);
        fail(j, -ETIMEDOUT);
    }
}

static struct jsonrpc *
jsonrpc_new(struct loop *l, struct stream *s, const struct jsonrpc_ops *ops, void *aux)
{
    struct jsonrpc *j = xzalloc(sizeof *j);
    j->loop = l;
    j->stream = s;
    j->ops = ops;
    j->aux = aux;
    j->last_heard = loop_now(l);
    jsonrpc_set_limits(j, &jsonrpc_default_limits);
    task_init(&j->fail, l, report_failure, j);
    timer_init(&j->probe_timer, l, on_probe_timer, j);
    loop_guest_enter(l, &j->guest, evict);
    stream_set_ops(s, &on_stream, j);
    return j;
}

struct jsonrpc *
jsonrpc_connect(struct loop *l, const char *target, const struct jsonrpc_ops *ops, void *aux, struct why *why)
{
    AUTO_STR char *whole = target_with_port(target, DEFAULT_PORT);
    struct stream *s = stream_connect(l, whole, &on_stream, NULL, why);
    return s ? jsonrpc_new(l, s, ops, aux) : NULL;
}

struct jsonrpc *
jsonrpc_accept(struct loop *l, struct stream *s, const struct jsonrpc_ops *ops, void *aux)
{
    return jsonrpc_new(l, s, ops, aux);
}

void
jsonrpc_set_limits(struct jsonrpc *j, const struct jsonrpc_limits *limits)
{
    j->limits = *limits;
    j->splitter.max_depth = limits->max_depth;
}

void
jsonrpc_set_probe(struct jsonrpc *j, span interval)
{
    j->probe = interval;
    j->is_probing = false;
    if (interval.ns > 0 && !j->has_failed)
        timer_set(&j->probe_timer, instant_add(j->last_heard, interval));
    else
        timer_cancel(&j->probe_timer);
}

const char *
jsonrpc_name(const struct jsonrpc *j)
{
    return stream_name(j->stream);
}

size_t
jsonrpc_backlog(const struct jsonrpc *j)
{
    return stream_backlog(j->stream);
}

struct stream *
jsonrpc_stream(struct jsonrpc *j)
{
    return j->stream;
}

/* ---- sending ---- */

static void
check_backlog(struct jsonrpc *j)
{
    coverage_inc(jsonrpc_sent);
    if (stream_backlog(j->stream) <= j->limits.max_backlog)
        return;
    refuse(&j->reason, 0, "%zu bytes wait for a peer that does not read", stream_backlog(j->stream));
    misbehaved(j, -ENOBUFS);
}

static void
send_out(struct jsonrpc *j)
{
    struct text *out = &j->out;
    log_dbg("%s: sent %.*s", jsonrpc_name(j), (int) MIN(out->len, 4096u), out->s);
    if (out->len >= OWN_AT) {
        size_t n = out->len;
        stream_write_owned(j->stream, text_steal(out), n);
    } else {
        stream_write(j->stream, out->s, out->len);
        text_cut(out, 0);
    }
    check_backlog(j);
}

/* Writes {A:a,B:b,C:c} and drops the references; NULL is null.  'a_text' stands for a string 'a'. */
static void
send_members(struct jsonrpc *j, const char *const keys[3], const char *a_text, json_t *a, json_t *b, json_t *c)
{
    json_t *values[3] = {a, b, c};
    struct text *out = &j->out;
    for (int i = 0; i < 3 && !j->has_failed; i++) {
        text_add(out, keys[i]);
        if (i == 0 && a_text)
            json_add_string(out, a_text, strlen(a_text));
        else if (values[i])
            json_add_text(out, values[i]);
        else
            text_add(out, "null");
    }
    if (!j->has_failed) {
        text_addc(out, '}');
        send_out(j);
    }
    for (int i = 0; i < 3; i++)
        json_decref(values[i]);
}

static const char *const request_keys[] = {"{\"method\":", ",\"params\":", ",\"id\":"};
static const char *const reply_keys[] = {"{\"id\":", ",\"result\":", ",\"error\":"};

const json_t *
jsonrpc_request(struct jsonrpc *j, const char *method, json_t *params)
{
    static json_int_t next_id;
    json_decref(j->last_id);
    j->last_id = json_integer(next_id++);
    jsonrpc_request_id(j, method, params, json_incref(j->last_id));
    return j->last_id;
}

void
jsonrpc_request_id(struct jsonrpc *j, const char *method, json_t *params, json_t *id)
{
    send_members(j, request_keys, method, NULL, params, id);
}

void
jsonrpc_notify(struct jsonrpc *j, const char *method, json_t *params)
{
    send_members(j, request_keys, method, NULL, params, NULL);
}

void
jsonrpc_reply(struct jsonrpc *j, json_t *result, json_t *id)
{
    send_members(j, reply_keys, NULL, id, result, NULL);
}

void
jsonrpc_error(struct jsonrpc *j, json_t *error, json_t *id)
{
    send_members(j, reply_keys, NULL, id, NULL, error);
}

void
jsonrpc_send_raw(struct jsonrpc *j, const char *bytes, size_t n)
{
    if (j->has_failed)
        return;
    stream_write(j->stream, bytes, n);
    check_backlog(j);
}
