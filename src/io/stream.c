/* stream - one connection over a socket that does not block.
 *
 * Theory.  Output is collected and leaves in one system call: what was written while received() ran, right after it; what others wrote,
 *          at the turn's end.  So answers to requests that came together leave together, and a peer does not wait for the turn of others.  Small
 *          writes share a chunk, large ones keep the caller's memory.  The first chunk is small: it lives for a moment only, in most cases, and
 *          malloc() has such blocks at hand, where larger ones from many streams make the heap grow and shrink each turn.
 *
 * States.  RESOLVING    a thread of libuv looks the name up; no descriptor yet        -> CONNECTING, DEAD
 *          CONNECTING   fd is there (or a retry waits for the timer)                  -> HANDSHAKING, OPEN, next address, DEAD
 *          HANDSHAKING  TLS; the layer says which event it waits for                  -> OPEN, DEAD
 *          OPEN         bytes flow                                                    -> DEAD
 *          DEAD         closed() has been called; the owner has yet to close
 *          GONE         the owner has closed; the memory lasts until the turn's end
 *
 * Callbacks come only from the loop, never from inside a call of the owner: who writes is not surprised by closed().
 */
#include "io/stream.h"
#include "base/coverage.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/layer.h"
#include "io/stream_private.h"
#include "io/target.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/uio.h>

LOG_MODULE(stream)
COVERAGE(stream_open)
COVERAGE(stream_read)
COVERAGE(stream_write)

enum state { RESOLVING, CONNECTING, HANDSHAKING, OPEN, DEAD, GONE };

#define CHUNK_ROOM 4000         /* bytes that small writes share */
#define FIRST_CHUNK_ROOM 900    /* with its header still a block that malloc() keeps for the thread */
#define EAGER_BACKLOG (1 << 18) /* more than this in one turn is written at once */
#define MAX_IOV 32
#define READS_PER_TURN 4      /* of a layer, each LOOP_SCRATCH at most */
#define LINGER_MS 5000        /* a peer that does not read what we said at the end */
#define HANDSHAKE_MS 30000    /* a peer that connects and then does not speak TLS */
#define QUEUE_FULL_RETRY_MS 5 /* a unix listener whose queue is full */

struct chunk {
    struct list link;
    char *bytes; /* own[] or memory given by the owner */
    size_t len, done;
    size_t room; /* of own[]; 0: bytes were given */
    char own[];
};

struct lookup { /* survives its stream: the thread cannot be stopped */
    uv_getaddrinfo_t uv;
    struct stream *stream; /* NULL: nobody waits any more */
};

struct stream {
    struct loop *loop;
    struct loop_guest guest;
    const struct stream_ops *ops;
    void *aux;
    char *name;
    enum state state;
    bool is_paused, is_lingering;
    bool is_blocked; /* the socket takes no more for now */
    bool is_deaf;    /* ... and never will */
    int fd;          /* -1: none */
    struct watch *watch;
    struct layer *layer; /* NULL: plain */

    struct target target; /* active */
    struct lookup *lookup;
    struct addrinfo *addrs, *addr; /* those found, the one being tried */
    int last_err;

    struct list chunks;
    size_t backlog;
    struct task go_on, flush;
    struct timer timer; /* retry, handshake, linger */
};

static void on_events(void *s_, int events);
static void on_readable(struct stream *);
static void flush(void *s_);

/* ---- ends ---- */

static void
forget_socket(struct stream *s)
{
    watch_free(MOVE(s->watch));
    if (s->layer)
        s->layer->ops->free(MOVE(s->layer));
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
}

static void
free_chunk(struct stream *s, struct chunk *c)
{
    list_remove(&c->link);
    s->backlog -= c->len - c->done;
    if (!c->room)
        free(c->bytes);
    free(c);
}

static void
forget_output(struct stream *s)
{
    while (!list_is_empty(&s->chunks))
        free_chunk(s, LIST_ELEM(s->chunks.next, struct chunk, link));
}

void
stream_close(struct stream *s)
{
    if (!s)
        return;
    ASSERT(s->state != GONE);
    s->state = GONE;
    forget_socket(s);
    if (s->lookup) {
        s->lookup->stream = NULL;
        uv_cancel((uv_req_t *) &s->lookup->uv);
    }
    if (s->addrs)
        uv_freeaddrinfo(s->addrs);
    forget_output(s);
    task_cancel(&s->go_on);
    task_cancel(&s->flush);
    timer_cancel(&s->timer);
    target_fini(&s->target);
    loop_guest_leave(&s->guest);
    loop_free_later(s->loop, s->name);
    loop_free_later(s->loop, s);
}

static void
evict(struct loop_guest *g)
{
    stream_close(CONTAINER_OF(g, struct stream, guest));
}

static void
die(struct stream *s, int err)
{
    if (s->state >= DEAD)
        return;
    s->state = DEAD;
    watch_free(MOVE(s->watch));
    task_cancel(&s->flush);
    timer_cancel(&s->timer);
    if (s->is_lingering)
        stream_close(s);
    else if (s->ops)
        s->ops->closed(s->aux, err);
}

/* ---- beginnings ---- */

static void
update_watch(struct stream *s)
{
    int events = 0;
    if (s->state == CONNECTING)
        events = UV_WRITABLE;
    else if (s->state == HANDSHAKING)
        events = s->layer->wants;
    else if (s->state == OPEN)
        events = (s->is_paused ? 0 : UV_READABLE) | (s->is_blocked ? (s->layer ? s->layer->wants : UV_WRITABLE) : 0);
    if (s->watch)
        watch_set(s->watch, events);
}

static void
opened(struct stream *s)
{
    s->state = OPEN;
    if (!s->is_lingering)
        timer_cancel(&s->timer);
    update_watch(s);
    coverage_inc(stream_open);
    if (!list_is_empty(&s->chunks))
        task_at_end(&s->flush);
    if (s->ops && s->ops->connected)
        s->ops->connected(s->aux);
    if (s->layer && s->state == OPEN)
        task_soon(&s->go_on); /* the handshake may have read more than it needed */
}

static void
shake_hands(struct stream *s)
{
    struct why why;
    int err = s->layer->ops->handshake(s->layer, &why);
    if (!err) {
        opened(s);
    } else if (err == -EAGAIN) {
        update_watch(s);
    } else {
        static struct log_limit limit = LOG_LIMIT(10, 10);
        log_warn_rl(&limit, "%s: %s", s->name, why.text);
        die(s, err);
    }
}

/* The socket is connected; on to TLS or straight to open. */
static void
arrived(struct stream *s)
{
    int err = 0;
    struct why why;
    if (!s->target.is_unix)
        setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    if (!s->target.is_tls) {
        opened(s);
        return;
    }
    err = tls_layer_new(s->fd, s->target.is_passive ? NULL : s->target.host, &s->layer, &why);
    if (err) {
        log_err("%s: %s", s->name, why.text);
        die(s, err);
        return;
    }
    s->state = HANDSHAKING;
    timer_set_in(&s->timer, millis(HANDSHAKE_MS));
    shake_hands(s);
}

static int
adopt_fd(struct stream *s, int fd)
{
    s->fd = fd;
    s->watch = watch_new(s->loop, fd, 0, on_events, s);
    return s->watch ? 0 : -EMFILE;
}

static void
connect_unix(struct stream *s)
{
    bool in_progress = false;
    int fd = unix_socket_connect(s->target.path, &in_progress);
    s->state = CONNECTING;
    if (fd == -EAGAIN) {
        timer_set_in(&s->timer, millis(QUEUE_FULL_RETRY_MS));
        return;
    }
    int err = fd < 0 ? fd : adopt_fd(s, fd);
    if (err)
        die(s, err);
    else if (in_progress)
        update_watch(s);
    else
        arrived(s);
}

/* Tries addresses until one is at least under way. */
static void
connect_next(struct stream *s)
{
    s->state = CONNECTING;
    for (; s->addr; s->addr = s->addr->ai_next) {
        int fd = socket(s->addr->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        s->last_err = fd < 0 ? -errno : adopt_fd(s, fd);
        if (s->last_err) {
            forget_socket(s);
            continue;
        }
        if (!connect(fd, s->addr->ai_addr, s->addr->ai_addrlen)) {
            arrived(s);
            return;
        }
        if (errno == EINPROGRESS) {
            update_watch(s);
            return;
        }
        s->last_err = -errno;
        forget_socket(s);
    }
    die(s, s->last_err);
}

static void
connect_done(struct stream *s)
{
    int err = 0;
    getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &err, &(socklen_t){sizeof err});
    if (!err) {
        arrived(s);
        return;
    }
    s->last_err = -err;
    forget_socket(s);
    if (s->addr)
        s->addr = s->addr->ai_next;
    connect_next(s);
}

static void
looked_up(uv_getaddrinfo_t *uv, int status, struct addrinfo *found)
{
    struct lookup *l = CONTAINER_OF(uv, struct lookup, uv);
    struct stream *s = l->stream;
    free(l);
    if (!s) {
        uv_freeaddrinfo(found);
        return;
    }
    s->lookup = NULL;
    if (status) {
        static struct log_limit limit = LOG_LIMIT(5, 5);
        log_warn_rl(&limit, "%s: the name cannot be resolved (%s)", s->name, uv_strerror(status));
        die(s, -EHOSTUNREACH);
        return;
    }
    s->addrs = s->addr = found;
    connect_next(s);
}

static void
look_up(struct stream *s)
{
    if (!target_lookup_numeric(&s->target, &s->addrs)) {
        s->addr = s->addrs;
        connect_next(s);
        return;
    }
    s->lookup = xzalloc(sizeof *s->lookup);
    s->lookup->stream = s;
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV | AI_ADDRCONFIG};
    int err = uv_getaddrinfo(loop_uv(s->loop), &s->lookup->uv, looked_up, s->target.host, s->target.port, &hints);
    if (err) {
        free(MOVE(s->lookup));
        die(s, err);
    }
}

/* The first step of a stream; and what it does when it need not wait for the socket. */
static void
go_on(void *s_)
{
    struct stream *s = s_;
    if (s->state == OPEN)
        on_readable(s);
    else if (s->fd >= 0) /* accepted */
        arrived(s);
    else if (s->target.is_unix)
        connect_unix(s);
    else
        look_up(s);
}

static void
on_timer(void *s_)
{
    struct stream *s = s_;
    if (s->is_lingering)
        stream_close(s);
    else if (s->state == HANDSHAKING)
        die(s, -ETIMEDOUT);
    else
        connect_unix(s);
}

static struct stream *
stream_new(struct loop *l, const char *name)
{
    struct stream *s = xzalloc(sizeof *s);
    s->loop = l;
    s->name = xstrdup(name);
    s->fd = -1;
    list_init(&s->chunks);
    task_init(&s->go_on, l, go_on, s);
    task_init(&s->flush, l, flush, s);
    timer_init(&s->timer, l, on_timer, s);
    loop_guest_enter(l, &s->guest, evict);
    return s;
}

struct stream *
stream_connect(struct loop *l, const char *target, const struct stream_ops *ops, void *aux, struct why *why)
{
    struct target t;
    if (target_parse(target, &t, why))
        return NULL;
    if (t.is_passive || (!t.is_unix && !t.port) || (t.is_tls && tls_check_settings(why))) {
        if (t.is_passive)
            refuse(why, -EINVAL, "%s: a passive target cannot be connected to", target);
        else if (!t.port && !t.is_unix)
            refuse(why, -EINVAL, "%s: a port number is missing", target);
        target_fini(&t);
        return NULL;
    }
    struct stream *s = stream_new(l, target);
    s->target = t;
    s->ops = ops;
    s->aux = aux;
    task_soon(&s->go_on);
    return s;
}

struct stream *
stream_accepted(struct loop *l, int fd, const char *name, bool is_unix, bool is_tls)
{
    struct stream *s = stream_new(l, name);
    s->target = (struct target){.is_unix = is_unix, .is_tls = is_tls, .is_passive = true};
    if (adopt_fd(s, fd)) {
        stream_close(s);
        return NULL;
    }
    task_soon(&s->go_on);
    return s;
}

void
stream_set_ops(struct stream *s, const struct stream_ops *ops, void *aux)
{
    s->ops = ops;
    s->aux = aux;
}

/* ---- reading ---- */

static ssize_t
read_some(struct stream *s, void *bytes, size_t room)
{
    coverage_inc(stream_read);
    if (s->layer)
        return s->layer->ops->read(s->layer, bytes, room);
    ssize_t n;
    do
        n = recv(s->fd, bytes, room, MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

static void
on_readable(struct stream *s)
{
    char *bytes = loop_scratch(s->loop);
    /* A plain socket tells the loop of what is left in it; a layer may hold bytes that the loop knows nothing of. */
    for (int i = 0; i < READS_PER_TURN && s->state == OPEN && !s->is_paused; i++) {
        ssize_t n = read_some(s, bytes, LOOP_SCRATCH);
        if (n > 0) {
            if (!s->is_lingering && s->ops)
                s->ops->received(s->aux, bytes, n);
            if (s->state == OPEN && s->backlog && !s->is_blocked) {
                task_cancel(&s->flush);
                flush(s);
            }
            if (!s->layer)
                return;
        } else if (n == -EAGAIN) {
            if (s->layer && s->layer->wants == UV_WRITABLE) { /* TLS has something to say before it can go on reading */
                s->is_blocked = true;
                update_watch(s);
            }
            return;
        } else {
            die(s, n);
            return;
        }
    }
    if (s->layer && s->state == OPEN && !s->is_paused)
        task_soon(&s->go_on);
}

/* ---- writing ---- */

static ssize_t
write_some(struct stream *s)
{
    struct iovec iov[MAX_IOV];
    size_t n_iov = 0;
    struct chunk *c;
    LIST_FOR (c, link, &s->chunks) {
        iov[n_iov++] = (struct iovec){c->bytes + c->done, c->len - c->done};
        if (n_iov == MAX_IOV)
            break;
    }
    coverage_inc(stream_write);
    if (s->layer)
        return s->layer->ops->write(s->layer, iov[0].iov_base, iov[0].iov_len);
    ssize_t n;
    const struct msghdr msg = {.msg_iov = iov, .msg_iovlen = n_iov};
    do
        n = n_iov == 1 ? send(s->fd, iov[0].iov_base, iov[0].iov_len, MSG_NOSIGNAL | MSG_DONTWAIT)
                       : sendmsg(s->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

static void
bytes_left(struct stream *s, size_t n)
{
    while (n) {
        struct chunk *c = LIST_ELEM(s->chunks.next, struct chunk, link);
        size_t part = MIN(n, c->len - c->done);
        c->done += part;
        s->backlog -= part;
        n -= part;
        if (c->done == c->len)
            free_chunk(s, c);
    }
}

/* Writes until the socket blocks; 0 or -errno. */
static int
write_all(struct stream *s)
{
    while (!list_is_empty(&s->chunks)) {
        ssize_t n = write_some(s);
        if (n < 0) {
            s->is_blocked = n == -EAGAIN;
            return n == -EAGAIN ? 0 : (int) n;
        }
        bytes_left(s, n);
    }
    s->is_blocked = false;
    return 0;
}

/* The peer takes nothing any more, but what it said last may still wait to be read: then reading finds the end. */
static void
give_up_writing(struct stream *s, int err)
{
    forget_output(s);
    s->is_deaf = true;
    s->is_blocked = false;
    if (s->is_paused || s->is_lingering)
        die(s, err);
    else
        update_watch(s);
}

static void
flush(void *s_)
{
    struct stream *s = s_;
    if (s->state != OPEN)
        return;
    bool had = s->backlog > 0;
    int err = write_all(s);
    if (err) {
        give_up_writing(s, err);
        return;
    }
    update_watch(s);
    if (s->backlog)
        return;
    if (s->is_lingering)
        stream_close(s);
    else if (had && s->ops && s->ops->drained)
        s->ops->drained(s->aux);
}

static void
wrote(struct stream *s, size_t n)
{
    s->backlog += n;
    if (s->state == OPEN && !s->is_blocked) {
        if (s->backlog > EAGER_BACKLOG && !s->layer)
            write_all(s); /* an error comes back at the turn's end */
        task_at_end(&s->flush);
    }
}

static struct chunk *
add_chunk(struct stream *s, size_t room)
{
    struct chunk *c = xmalloc(sizeof *c + room);
    c->bytes = c->own;
    c->len = c->done = 0;
    c->room = room;
    list_push_back(&s->chunks, &c->link);
    return c;
}

void
stream_write(struct stream *s, const void *bytes, size_t n)
{
    if (!n || s->state >= DEAD || s->is_deaf)
        return;
    struct chunk *c = list_is_empty(&s->chunks) ? NULL : LIST_ELEM(s->chunks.prev, struct chunk, link);
    if (!c || c->room - c->len < n || !c->room)
        c = add_chunk(s, MAX(n, c ? CHUNK_ROOM : FIRST_CHUNK_ROOM));
    memcpy(c->own + c->len, bytes, n);
    c->len += n;
    wrote(s, n);
}

void
stream_write_owned(struct stream *s, char *bytes, size_t n)
{
    if (n < CHUNK_ROOM / 2 || s->state >= DEAD || s->is_deaf) {
        stream_write(s, bytes, n);
        free(bytes);
        return;
    }
    struct chunk *c = add_chunk(s, 0);
    c->bytes = bytes;
    c->len = n;
    wrote(s, n);
}

size_t
stream_backlog(const struct stream *s)
{
    return s->backlog;
}

static void
on_events(void *s_, int events)
{
    struct stream *s = s_;
    if (s->state == CONNECTING) {
        connect_done(s);
    } else if (s->state == HANDSHAKING) {
        shake_hands(s);
    } else if (s->state == OPEN) {
        if (s->is_blocked && (events & (UV_WRITABLE | (s->layer ? UV_READABLE : 0))))
            flush(s);
        if (events & UV_READABLE && s->state == OPEN)
            on_readable(s);
    }
}

/* ---- the owner's other wishes ---- */

void
stream_pause(struct stream *s, bool paused)
{
    s->is_paused = paused;
    update_watch(s);
    if (!paused && s->layer && s->state == OPEN)
        task_soon(&s->go_on);
}

void
stream_close_after_writes(struct stream *s)
{
    if (!s)
        return;
    s->ops = NULL;
    if (s->state == OPEN && !s->is_blocked && write_all(s))
        s->state = DEAD;
    if (!s->backlog || s->state >= DEAD) {
        stream_close(s);
        return;
    }
    s->is_lingering = true;
    s->is_paused = false;
    timer_set_in(&s->timer, millis(LINGER_MS));
    update_watch(s);
}

const char *
stream_name(const struct stream *s)
{
    return s->name;
}

const char *
stream_peer_cn(const struct stream *s)
{
    return s->layer ? s->layer->peer_cn : NULL;
}

uint16_t
stream_local_port(const struct stream *s)
{
    return s->fd >= 0 ? socket_port(s->fd) : 0;
}
