/* Bytes are gathered until a splitter says that one value is complete, then parsed in place and handed on: at most one message lives at a
 * time, and a message of any size is copied once.  The owner may close the line while it looks at a message, so the loop over
 * messages keeps the memory until it is through (is_receiving, is_closed). */
#include "ovsdb/rpc.h"

#include "base/log.h"
#include "base/mem.h"
#include <errno.h>
#include <string.h>

LOG_MODULE(jsonrpc)

struct rpc {
    struct stream *stream;
    const struct rpc_ops *ops;
    void *aux;
    struct text in; /* the bytes of the message that is not complete yet */
    struct json_splitter splitter;
    struct arena arena; /* the message being shown */
    int64_t last_id;
    struct text out; /* being written, or waiting for the end of the turn */
    bool gathers;
    struct task flush; /* gathers: what is in 'out' goes */
    size_t max_message;
    struct text left;   /* gathers: bytes received whose turn has not come, the stream is paused */
    struct task resume; /* goes on with them */
    bool is_receiving;
    bool is_closed; /* by the owner, while receiving */
};

static void
splitter_restart(struct rpc *rpc)
{
    rpc->splitter = (struct json_splitter){.max_depth = JSON_MAX_DEPTH};
}

static const struct jv *
member(const struct jv *object, const char *name)
{
    const struct jv *v = jv_get(object, name);
    return v && v->type != JV_NULL ? v : NULL;
}

int
rpc_msg_decode(const struct jv *v, struct rpc_msg *msg, struct why *why)
{
    if (!jv_is(v, JV_OBJECT))
        return refuse(why, -EBADMSG, "message is not a JSON object");

    const struct jv *method = member(v, "method");
    *msg = (struct rpc_msg){
        .params = member(v, "params"),
        .id = member(v, "id"),
        .result = jv_get(v, "result"), /* null is a fine result */
        .error = member(v, "error"),
    };
    if (method) {
        if (method->type != JV_STRING)
            return refuse(why, -EBADMSG, "method is not a JSON string");
        if (!msg->params)
            return refuse(why, -EBADMSG, "%s has no params", method->s);
        msg->method = method->s;
        msg->type = msg->id ? RPC_REQUEST : RPC_NOTIFY;
        return 0;
    }
    if (!msg->id)
        return refuse(why, -EBADMSG, "message has neither method nor id");
    if (!msg->error && !msg->result)
        return refuse(why, -EBADMSG, "reply has neither result nor error");
    msg->type = msg->error ? RPC_ERROR : RPC_REPLY;
    return 0;
}

static void
rpc_flush(void *aux)
{
    struct rpc *rpc = aux;
    size_t n = rpc->out.len;
    if (n)
        stream_write_owned(rpc->stream, text_steal(&rpc->out), n);
}

struct text *
rpc_begin(struct rpc *rpc)
{
    return &rpc->out;
}

void
rpc_end(struct rpc *rpc)
{
    if (log_is_dbg())
        log_dbg("%s: send %s", rpc_name(rpc), text_str(&rpc->out));
    if (!rpc->gathers)
        rpc_flush(rpc);
    else if (!rpc->is_receiving)
        task_soon(&rpc->flush);
}

static void
send_text(struct rpc *rpc, struct text *t)
{
    text_addn(rpc_begin(rpc), t->s, t->len);
    text_fini(t);
    rpc_end(rpc);
}

static void go_on(void *aux);

void
rpc_gather(struct rpc *rpc, struct loop *loop)
{
    rpc->gathers = true;
    task_init(&rpc->flush, loop, rpc_flush, rpc);
    task_init(&rpc->resume, loop, go_on, rpc);
}

void
rpc_limit(struct rpc *rpc, size_t max_message)
{
    rpc->max_message = max_message;
}

size_t
rpc_backlog(const struct rpc *rpc)
{
    return rpc->out.len + stream_backlog(rpc->stream);
}

struct stream *
rpc_stream(struct rpc *rpc)
{
    return rpc->stream;
}

static void
answer_echo(struct rpc *rpc, const struct rpc_msg *msg)
{
    struct text t = TEXT_INIT;
    text_add(&t, "{\"id\":");
    jv_add(&t, msg->id);
    text_add(&t, ",\"result\":");
    jv_add(&t, msg->params);
    text_add(&t, ",\"error\":null}");
    send_text(rpc, &t);
}

static int
take_message(struct rpc *rpc, struct why *why)
{
    struct jv v;
    struct rpc_msg msg;

    if (log_is_dbg())
        log_dbg("%s: received %s", rpc_name(rpc), text_str(&rpc->in));
    arena_reset(&rpc->arena);
    int err = jv_parse(&rpc->arena, rpc->in.s, rpc->in.len, JSON_MAX_DEPTH, &v, why);
    if (!err)
        err = rpc_msg_decode(&v, &msg, why);
    if (err)
        return err;
    if (msg.type == RPC_REQUEST && !strcmp(msg.method, "echo"))
        answer_echo(rpc, &msg);
    else if (msg.id && jv_str_eq(msg.id, "echo"))
        ; /* the answer to our own */
    else
        rpc->ops->received(rpc->aux, &msg);
    return 0;
}

static void
rpc_free(struct rpc *rpc)
{
    text_fini(&rpc->in);
    text_fini(&rpc->out);
    text_fini(&rpc->left);
    arena_fini(&rpc->arena);
    free(rpc);
}

/* Takes bytes up to the end of one message; returns how many. */
static size_t
take_bytes(struct rpc *rpc, const char *p, size_t n)
{
    size_t used = n;
    bool done = false;
    struct why why = {"peer sent something that is not a JSON-RPC message"};
    int err = json_split(&rpc->splitter, p, n, &used, &done);

    if (!err && rpc->max_message && rpc->in.len + used > rpc->max_message)
        err = refuse(&why, -EMSGSIZE, "a message is longer than %zu bytes", rpc->max_message);
    if (!err) {
        text_addn(&rpc->in, p, used);
        if (!done)
            return n;
        err = take_message(rpc, &why);
        text_cut(&rpc->in, 0);
        splitter_restart(rpc);
    }
    if (err) {
        if (!rpc->is_closed)
            rpc->ops->closed(rpc->aux, why.text);
        return n;
    }
    return used;
}

/* A server does so much for one peer in a turn, and the next thing only when the peer has taken most of the last. */
#define TURN_BYTES ((size_t) 256 << 10)
#define UNREAD_BYTES ((size_t) 4 << 20)

static bool
has_had_its_turn(const struct rpc *rpc)
{
    return rpc->gathers && !rpc->is_closed && (rpc->out.len > TURN_BYTES || stream_backlog(rpc->stream) > UNREAD_BYTES);
}

static void
consume(struct rpc *rpc, const char *p, size_t n)
{
    const char *end = p + n;

    rpc->is_receiving = true;
    while (p < end && !rpc->is_closed && !has_had_its_turn(rpc))
        p += take_bytes(rpc, p, end - p);
    rpc->is_receiving = false;
    if (rpc->is_closed) {
        rpc_free(rpc);
        return;
    }
    bool rests = p < end && has_had_its_turn(rpc);
    rpc_flush(rpc);
    if (!rests)
        return;
    text_addn(&rpc->left, p, end - p);
    stream_pause(rpc->stream, true);
    if (stream_backlog(rpc->stream) <= UNREAD_BYTES)
        task_soon(&rpc->resume); /* else on_drained() */
}

static void
go_on(void *aux)
{
    struct rpc *rpc = aux;

    if (stream_backlog(rpc->stream) > UNREAD_BYTES)
        return; /* on_drained() */
    AUTO_TEXT struct text left = rpc->left;
    rpc->left = TEXT_INIT;
    stream_pause(rpc->stream, false);
    consume(rpc, left.s, left.len);
}

static void
on_drained(void *aux)
{
    struct rpc *rpc = aux;
    if (rpc->left.len)
        task_soon(&rpc->resume);
}

static void
on_received(void *aux, const void *bytes, size_t n)
{
    struct rpc *rpc = aux;

    if (rpc->ops->heard)
        rpc->ops->heard(rpc->aux);
    if (rpc->left.len)
        text_addn(&rpc->left, bytes, n);
    else
        consume(rpc, bytes, n);
}

static void
on_connected(void *aux)
{
    struct rpc *rpc = aux;
    rpc->ops->connected(rpc->aux);
}

static void
on_closed(void *aux, int err)
{
    struct rpc *rpc = aux;
    rpc->ops->closed(rpc->aux, err ? strerror(-err) : "End of file");
}

static const struct stream_ops stream_ops = {
    .connected = on_connected, .received = on_received, .drained = on_drained, .closed = on_closed};

static struct rpc *
rpc_new(const struct rpc_ops *ops, void *aux)
{
    struct rpc *rpc = xzalloc(sizeof *rpc);
    rpc->ops = ops;
    rpc->aux = aux;
    rpc->arena = ARENA_INIT;
    splitter_restart(rpc);
    return rpc;
}

struct rpc *
rpc_connect(struct loop *loop, const char *target, const struct rpc_ops *ops, void *aux, struct why *why)
{
    struct rpc *rpc = rpc_new(ops, aux);
    rpc->stream = stream_connect(loop, target, &stream_ops, rpc, why);
    if (!rpc->stream) {
        rpc_close(rpc);
        return NULL;
    }
    return rpc;
}

struct rpc *
rpc_accept(struct stream *stream, const struct rpc_ops *ops, void *aux)
{
    struct rpc *rpc = rpc_new(ops, aux);
    rpc->stream = stream;
    stream_set_ops(stream, &stream_ops, rpc);
    return rpc;
}

void
rpc_close(struct rpc *rpc)
{
    if (!rpc)
        return;
    if (rpc->gathers) {
        task_cancel(&rpc->flush);
        task_cancel(&rpc->resume);
    }
    stream_close(rpc->stream);
    rpc->stream = NULL;
    rpc->is_closed = true;
    if (!rpc->is_receiving)
        rpc_free(rpc);
}

const char *
rpc_name(const struct rpc *rpc)
{
    return stream_name(rpc->stream);
}

int64_t
rpc_request(struct rpc *rpc, const char *method, const char *params)
{
    struct text t = TEXT_INIT;
    text_addf(&t, "{\"id\":%lld,\"method\":\"%s\",\"params\":", (long long) ++rpc->last_id, method);
    text_add(&t, params);
    text_addc(&t, '}');
    send_text(rpc, &t);
    return rpc->last_id;
}

void
rpc_notify(struct rpc *rpc, const char *method, const char *params)
{
    struct text t = TEXT_INIT;
    text_addf(&t, "{\"id\":null,\"method\":\"%s\",\"params\":", method);
    text_add(&t, params);
    text_addc(&t, '}');
    send_text(rpc, &t);
}

void
rpc_probe(struct rpc *rpc)
{
    struct text t = TEXT_INIT;
    text_add(&t, "{\"id\":\"echo\",\"method\":\"echo\",\"params\":[]}");
    send_text(rpc, &t);
}

bool
rpc_is_id(const struct rpc_msg *msg, int64_t id)
{
    return jv_is(msg->id, JV_INT) && msg->id->i == id;
}
