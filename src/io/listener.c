/* listener - see stream.h.
 *
 * A turn accepts a bounded number of connections.  When the process runs out of descriptors accept() would be called again at once and fail
 * again at once, for ever: the listener looks away for a moment instead.
 */
#include "base/log.h"
#include "base/mem.h"
#include "io/layer.h"
#include "io/stream_private.h"
#include "io/target.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/stat.h>

LOG_MODULE(listener)

#define ACCEPTS_PER_TURN 64
#define NO_DESCRIPTORS_PAUSE_MS 100

struct listener {
    struct loop *loop;
    struct loop_guest guest;
    struct target target;
    char *name;
    int fd;
    struct stat file; /* unix: which file is ours to unlink */
    struct watch *watch;
    struct timer pause;
    bool is_closed;
    void (*accepted)(void *aux, struct stream *);
    void *aux;
};

uint16_t
socket_port(int fd)
{
    struct sockaddr_storage ss;
    if (getsockname(fd, (struct sockaddr *) &ss, &(socklen_t){sizeof ss}))
        return 0;
    return ss.ss_family == AF_INET    ? ntohs(((struct sockaddr_in *) &ss)->sin_port)
           : ss.ss_family == AF_INET6 ? ntohs(((struct sockaddr_in6 *) &ss)->sin6_port)
                                      : 0;
}

/* "tcp:10.0.0.1:5555", "tcp:[::1]:5555", or "unix#7": the seventh of this process. */
static char *
peer_name(const struct listener *ls, const struct sockaddr_storage *ss)
{
    static unsigned n_unix;
    const char *scheme = ls->target.is_tls ? "ssl" : "tcp";
    char addr[INET6_ADDRSTRLEN];
    if (ss->ss_family == AF_INET) {
        const struct sockaddr_in *sin = (const struct sockaddr_in *) ss;
        inet_ntop(AF_INET, &sin->sin_addr, addr, sizeof addr);
        return xasprintf("%s:%s:%u", scheme, addr, ntohs(sin->sin_port));
    }
    if (ss->ss_family == AF_INET6) {
        const struct sockaddr_in6 *sin6 = (const struct sockaddr_in6 *) ss;
        inet_ntop(AF_INET6, &sin6->sin6_addr, addr, sizeof addr);
        return xasprintf("%s:[%s]:%u", scheme, addr, ntohs(sin6->sin6_port));
    }
    return xasprintf("unix#%u", n_unix++);
}

static void
look_again(void *ls_)
{
    struct listener *ls = ls_;
    watch_set(ls->watch, UV_READABLE);
}

static void
accept_failed(struct listener *ls, int err)
{
    static struct log_limit limit = LOG_LIMIT(5, 2);
    if (err == EAGAIN || err == EINTR || err == ECONNABORTED)
        return;
    log_warn_rl(&limit, "%s: accept failed (%s)", ls->name, strerror(err));
    watch_set(ls->watch, 0);
    timer_set_in(&ls->pause, millis(NO_DESCRIPTORS_PAUSE_MS));
}

static void
on_readable(void *ls_, int events)
{
    struct listener *ls = ls_;
    for (int i = 0; i < ACCEPTS_PER_TURN && !ls->is_closed; i++) {
        struct sockaddr_storage ss;
        int fd = accept4(ls->fd, (struct sockaddr *) &ss, &(socklen_t){sizeof ss}, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            accept_failed(ls, errno);
            return;
        }
        AUTO_STR char *name = peer_name(ls, &ss);
        struct stream *s = stream_accepted(ls->loop, fd, name, ls->target.is_unix, ls->target.is_tls);
        if (s)
            ls->accepted(ls->aux, s);
    }
}

static int
listen_inet(const struct target *t, const char *name, struct why *why)
{
    struct addrinfo *found;
    if (target_lookup_numeric(t, &found))
        return refuse(why, -EINVAL, "%s: bad IP address", name);
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int err = 0;
    if (fd >= 0)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (fd < 0 || bind(fd, found->ai_addr, found->ai_addrlen) || listen(fd, SOMAXCONN)) {
        err = refuse(why, -errno, "%s: listening failed (%s)", name, strerror(errno));
        if (fd >= 0)
            close(fd);
    }
    freeaddrinfo(found);
    return err ? err : fd;
}

static void
evict(struct loop_guest *g)
{
    listener_close(CONTAINER_OF(g, struct listener, guest));
}

int
listener_open(struct loop *l, const char *target, void (*accepted)(void *aux, struct stream *), void *aux,
              struct listener **out, struct why *why)
{
    struct target t;
    int err = target_parse(target, &t, why);
    if (err)
        return err;
    int fd = -1;
    if (!t.is_passive)
        err = refuse(why, -EINVAL, "%s: an active target cannot be listened to", target);
    else if (!t.is_unix && !t.port)
        err = refuse(why, -EINVAL, "%s: a port number is missing", target);
    else if (t.is_tls)
        err = tls_check_settings(why);
    if (!err) {
        fd = t.is_unix ? unix_socket_listen(t.path, why) : listen_inet(&t, target, why);
        err = MIN(fd, 0);
    }
    if (err) {
        target_fini(&t);
        return err;
    }

    struct listener *ls = xzalloc(sizeof *ls);
    *ls = (struct listener){.loop = l, .target = t, .fd = fd, .accepted = accepted, .aux = aux};
    ls->name = xstrdup(target);
    ls->watch = watch_new(l, fd, UV_READABLE, on_readable, ls);
    timer_init(&ls->pause, l, look_again, ls);
    loop_guest_enter(l, &ls->guest, evict);
    if (t.is_unix && stat(t.path, &ls->file))
        ls->file = (struct stat){.st_ino = 0};
    if (!ls->watch) {
        listener_close(ls);
        return refuse(why, -EMFILE, "%s: the socket cannot be watched", target);
    }
    *out = ls;
    return 0;
}

uint16_t
listener_port(const struct listener *ls)
{
    return socket_port(ls->fd);
}

void
listener_close(struct listener *ls)
{
    struct stat st;
    if (!ls)
        return;
    ls->is_closed = true;
    if (ls->target.is_unix && !stat(ls->target.path, &st) && st.st_ino == ls->file.st_ino &&
        st.st_dev == ls->file.st_dev)
        unlink(ls->target.path);
    watch_free(ls->watch);
    close(ls->fd);
    timer_cancel(&ls->pause);
    target_fini(&ls->target);
    loop_guest_leave(&ls->guest);
    loop_free_later(ls->loop, ls->name);
    loop_free_later(ls->loop, ls);
}
