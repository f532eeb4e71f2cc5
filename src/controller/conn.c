/* conn - bytes in, messages out; the handshake.
 *
 * Both sides say hello at once; the version is the highest that both speak.  Until then nothing but hello, error and echo is understood.
 */
#include "controller/conn.h"
#include "base/log.h"
#include "base/mem.h"
#include <stdlib.h>
#include <string.h>

LOG_MODULE(rconn)

#define BACKLOG_MAX (4u << 20)

void
conn_send(struct conn *c, const struct text *t)
{
    if (t->len)
        stream_write(c->stream, t->s, t->len);
    if (stream_backlog(c->stream) > BACKLOG_MAX)
        stream_pause(c->stream, true);
}

void
conn_error(struct conn *c, enum of_error err, const struct of_msg_info *info, const void *request, size_t len)
{
    AUTO_TEXT struct text t = TEXT_INIT;
    of_error_encode(err, c->version ? c->version : OF10, info->xid, request, len, &t);
    conn_send(c, &t);
}

static bool
hello(struct conn *c, const void *msg, size_t len, uint32_t xid)
{
    uint32_t theirs, ours = c->connmgr->versions;
    if (hello_decode(msg, len, &theirs))
        return false;
    c->version = of_version_highest(theirs & ours);
    if (c->version) {
        if (c->controller)
            controllers_count(c->connmgr);
        return true;
    }
    static struct log_limit limit = LOG_LIMIT(1, 5);
    AUTO_TEXT struct text mine = TEXT_INIT, other = TEXT_INIT, t = TEXT_INIT;
    of_versions_format(ours, &mine);
    of_versions_format(theirs, &other);
    log_warn_rl(&limit, "%s: version negotiation failed (we support %s, peer supports %s)", stream_name(c->stream),
                text_str(&mine), text_str(&other));
    of_error_encode(OFERR_OFPHFC_INCOMPATIBLE, of_version_highest(ours), xid, text_str(&mine), mine.len, &t);
    conn_send(c, &t);
    return false;
}

/* false: the connection is not worth going on with. */
static bool
one_message(struct conn *c, const void *msg, size_t len)
{
    struct of_msg_info info;
    enum of_error err = of_msg_identify(msg, len, &info);
    struct of_header h;
    of_header_get(msg, len, &h);
    info.xid = h.xid;
    if (!c->version) {
        if (!err && info.msg == OFMSG_HELLO)
            return hello(c, msg, len, h.xid);
        if (!err && info.msg == OFMSG_ERROR)
            return false;
        if (err || info.msg != OFMSG_ECHO_REQUEST)
            return false;
    } else if (h.version != c->version && (err || info.msg > OFMSG_ECHO_REPLY)) {
        err = OFERR_OFPBRC_BAD_VERSION;
    }
    if (!err)
        err = handle(c, &info, msg, len);
    if (err)
        conn_error(c, err, &info, msg, len);
    return true;
}

static void
drop(struct conn *c, int err)
{
    c->version = 0;
    if (c->controller)
        controller_lost(c->controller, c, err);
    conn_free(c);
}

static void
received(void *c_, const void *bytes, size_t n)
{
    struct conn *c = c_;
    text_addn(&c->in, bytes, n);
    size_t at = 0;
    struct of_header h;
    bool ok = true;
    while (ok && of_header_get(c->in.s + at, c->in.len - at, &h)) {
        if (h.len < OF_HEADER_LEN) {
            ok = false;
        } else if (c->in.len - at < h.len) {
            break;
        } else {
            ok = one_message(c, c->in.s + at, h.len);
            at += h.len;
        }
    }
    if (!ok) {
        drop(c, 0);
        return;
    }
    memmove(c->in.s, c->in.s + at, c->in.len - at);
    text_cut(&c->in, c->in.len - at);
}

static void
drained(void *c_)
{
    stream_pause(((struct conn *) c_)->stream, false);
}

static void
closed(void *c_, int err)
{
    drop(c_, err);
}

static void
say_hello(struct conn *c)
{
    AUTO_TEXT struct text t = TEXT_INIT;
    hello_encode(c->connmgr->versions, 1, &t);
    conn_send(c, &t);
}

static void
connected(void *c)
{
    say_hello(c);
}

static const struct stream_ops ops = {connected, received, drained, closed};

struct conn *
conn_new(struct connmgr *a, struct stream *s, struct controller *controller)
{
    struct conn *c = xzalloc(sizeof *c);
    c->connmgr = a;
    c->stream = s;
    c->controller = controller;
    c->role = ROLE_EQUAL;
    c->wants_async = controller != NULL;
    c->miss_send_len = controller ? 128 : 0;
    list_push_back(&a->conns, &c->in_connmgr);
    stream_set_ops(s, &ops, c);
    if (!controller)
        say_hello(c); /* who came to us is connected already */
    return c;
}

void
conn_free(struct conn *c)
{
    if (!c)
        return;
    list_remove(&c->in_connmgr);
    stream_close_after_writes(c->stream);
    text_fini(&c->in);
    free(c);
}
