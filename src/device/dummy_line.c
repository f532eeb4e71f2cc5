/* dummy_line - frames of a dummy over a stream, so that two switches in a test can be cabled together.
 *
 * Wire.    Each frame behind its length, two bytes, big end first.  options:stream calls and calls again (after 100 ms, doubling to 8 s);
 *          options:pstream listens, and whoever called hears what is sent.
 * Threads. Streams belong to the control thread.  Lanes leave frames in the outbox and call it.
 */
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/vec.h"
#include "device/dummy.h"
#include "io/reconnect.h"
#include "io/stream.h"
#include "packet/wire.h"
#include <errno.h>
#include <string.h>

LOG_MODULE(netdev_dummy)

struct peer {
    struct dummy_line *line;
    struct stream *stream;
    struct text got; /* of a frame that is not whole yet */
};

struct dummy_line {
    struct dummy *dummy;
    char *target;
    bool is_passive;
    struct listener *listener;
    VEC(struct peer *) peers; /* an active line has at most one */
    struct reconnect reconnect;
    struct timer retry;
};

static void
peer_free(struct peer *p)
{
    struct dummy_line *line = p->line;
    for (size_t i = 0; i < line->peers.n; i++)
        if (line->peers.at[i] == p) {
            vec_remove(&line->peers, i);
            break;
        }
    stream_close(p->stream);
    text_fini(&p->got);
    free(p);
}

static void
schedule(struct dummy_line *line)
{
    timer_set(&line->retry, reconnect_next(&line->reconnect));
}

static void
lost(struct peer *p)
{
    struct dummy_line *line = p->line;
    peer_free(p);
    if (!line->is_passive) {
        reconnect_down(&line->reconnect, loop_now(line->dummy->device.loop));
        schedule(line);
    }
}

static void
connected(void *peer_)
{
    struct dummy_line *line = ((struct peer *) peer_)->line;
    if (!line->is_passive) {
        reconnect_up(&line->reconnect, loop_now(line->dummy->device.loop));
        schedule(line);
    }
}

static void
received(void *peer_, const void *bytes, size_t n)
{
    struct peer *p = peer_;
    text_addn(&p->got, bytes, n);
    size_t at = 0;
    while (p->got.len - at >= 2) {
        size_t len = load_be16(p->got.s + at);
        if (len < ETH_LEN) { /* not our wire */
            lost(p);
            return;
        }
        if (p->got.len - at < 2 + len)
            break;
        dummy_enqueue(p->line->dummy, 0, p->got.s + at + 2, len);
        at += 2 + len;
    }
    memmove(p->got.s, p->got.s + at, p->got.len - at);
    text_cut(&p->got, p->got.len - at);
}

static void
closed(void *peer, int err)
{
    lost(peer);
}

static const struct stream_ops ops = {.connected = connected, .received = received, .closed = closed};

static struct peer *
add_peer(struct dummy_line *line, struct stream *stream)
{
    struct peer *p = xzalloc(sizeof *p);
    p->line = line;
    p->stream = stream;
    vec_push(&line->peers, p);
    return p;
}

static void
accepted(void *line, struct stream *stream)
{
    stream_set_ops(stream, &ops, add_peer(line, stream));
}

static void
retry(void *line_)
{
    struct dummy_line *line = line_;
    enum reconnect_act act = reconnect_run(&line->reconnect, loop_now(line->dummy->device.loop));
    if (act == RECONNECT_DROP && line->peers.n) {
        lost(line->peers.at[0]);
        return;
    }
    if (act == RECONNECT_CONNECT) {
        struct peer *p = add_peer(line, NULL);
        p->stream = stream_connect(line->dummy->device.loop, line->target, &ops, p, NULL);
        if (!p->stream) {
            lost(p);
            return;
        }
    }
    schedule(line);
}

static void
line_free(struct dummy_line *line)
{
    if (!line)
        return;
    timer_cancel(&line->retry);
    listener_close(line->listener);
    while (line->peers.n)
        peer_free(vec_last(&line->peers));
    vec_fini(&line->peers);
    free(line->target);
    free(line);
}

int
dummy_line_configure(struct dummy *d, const char *stream, const char *pstream, struct why *why)
{
    struct loop *loop = d->device.loop;
    const char *target = stream ? stream : pstream;
    if (stream && pstream)
        return refuse(why, -EINVAL, "%s: both stream and pstream are configured", d->device.name);
    if (d->line && target && !strcmp(d->line->target, target))
        return 0;
    if (target && (!target_is_valid(target, why) || target_is_passive(target) != !!pstream))
        return refuse(why, -EINVAL, "%s: \"%s\" is no target for %s", d->device.name, target,
                      stream ? "stream" : "pstream");

    atomic_store(&d->has_line, false);
    line_free(MOVE(d->line));
    if (!target)
        return 0;
    struct dummy_line *line = xzalloc(sizeof *line);
    line->dummy = d;
    line->target = xstrdup(target);
    line->is_passive = pstream != NULL;
    timer_init(&line->retry, loop, retry, line);
    int err = pstream ? listener_open(loop, target, accepted, line, &line->listener, why) : 0;
    if (err) {
        line_free(line);
        return err;
    }
    if (stream) {
        reconnect_init(&line->reconnect, millis(100), seconds(8), seconds(0), 1, loop_now(loop));
        timer_set(&line->retry, loop_now(loop));
    }
    d->line = line;
    atomic_store(&d->has_line, true);
    return 0;
}

/* On the control thread: what lanes left. */
static void
deliver(void *dummy)
{
    struct dummy *d = dummy;
    pthread_mutex_lock(&d->lock);
    struct dummy_frame *frames = MOVE(d->outbox);
    pthread_mutex_unlock(&d->lock);
    for (struct dummy_frame *f = frames; f; f = f->next)
        for (size_t i = 0; d->line && i < d->line->peers.n; i++) {
            uint8_t len[2];
            store_be16(len, f->len);
            stream_write(d->line->peers.at[i]->stream, len, 2);
            stream_write(d->line->peers.at[i]->stream, f->bytes, f->len);
        }
    dummy_frames_free(frames);
    device_put(&d->device);
}

void
dummy_line_send(struct dummy *d, const void *frame, size_t len)
{
    if (len > UINT16_MAX) {
        count(d->counters.tx_dropped, 1);
        return;
    }
    struct dummy_frame *f = xmalloc(sizeof *f + len);
    f->next = NULL;
    f->len = len;
    memcpy(f->bytes, frame, len);
    pthread_mutex_lock(&d->lock);
    bool is_first = !d->outbox;
    if (is_first)
        d->outbox_last = &d->outbox;
    *d->outbox_last = f;
    d->outbox_last = &f->next;
    pthread_mutex_unlock(&d->lock);
    if (is_first) {
        device_get(&d->device);
        loop_call_from(d->device.loop, deliver, d);
    }
}

const char *
dummy_line_state(const struct dummy *d)
{
    if (!d->line || d->line->is_passive)
        return "unknown";
    enum reconnect_state s = d->line->reconnect.state;
    return s == RECONNECT_ACTIVE || s == RECONNECT_PROBING ? "connected" : "disconnected";
}
