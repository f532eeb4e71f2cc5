/* target - see the header.
 *
 * A unix socket's address has room for 107 bytes.  A longer path is reached by opening its folder and naming the file through
 * /proc/self/fd/N/NAME, which the kernel resolves like any other path.
 */
#include "io/target.h"
#include "base/mem.h"
#include "base/text.h"
#include "io/dirs.h"
#include "io/stream.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static const struct kind {
    const char *prefix;
    bool is_passive, is_unix, is_tls;
} kinds[] = {
    {"unix:", false, true, false}, {"punix:", true, true, false}, {"tcp:", false, false, false},
    {"ptcp:", true, false, false}, {"ssl:", false, false, true},  {"pssl:", true, false, true},
};

static const struct kind *
kind_of(const char *text)
{
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        if (!strncmp(text, kinds[i].prefix, strlen(kinds[i].prefix)))
            return &kinds[i];
    return NULL;
}

bool
target_is_passive(const char *text)
{
    const struct kind *k = kind_of(text);
    return k && k->is_passive;
}

void
target_fini(struct target *t)
{
    free(t->path);
    free(t->host);
    free(t->port);
    *t = (struct target){.path = NULL};
}

static bool
is_port(const char *s, bool zero_is_fine)
{
    unsigned long n = 0;
    size_t len = strlen(s);
    for (size_t i = 0; i < len; i++) {
        if (s[i] < '0' || s[i] > '9')
            return false;
        n = n * 10 + (s[i] - '0');
    }
    return len > 0 && len <= 5 && n <= 65535 && (n || zero_is_fine);
}

/* Takes "HOST", "[HOST]" or nothing from the front of *s; what stands behind it stays. */
static int
take_host(const char *text, const char **s, char **host, struct why *why)
{
    const char *p = *s;
    size_t n;
    if (*p == '[') {
        const char *end = strchr(p, ']');
        if (!end)
            return refuse(why, -EINVAL, "%s: [ without ]", text);
        *host = xstrndup(p + 1, end - p - 1);
        n = end + 1 - p;
    } else {
        n = strcspn(p, ":");
        *host = n ? xstrndup(p, n) : NULL;
    }
    *s += n;
    return 0;
}

static int
parse_active(const char *text, const char *rest, struct target *t, struct why *why)
{
    int err = take_host(text, &rest, &t->host, why);
    if (err)
        return err;
    if (!t->host || !*t->host)
        return refuse(why, -EINVAL, "%s: a host is missing", text);
    if (*rest == ':' && is_port(rest + 1, false))
        t->port = xstrdup(rest + 1);
    else if (*rest)
        return refuse(why, -EINVAL, "%s: bad port number", text);
    return 0;
}

static int
parse_passive(const char *text, const char *rest, struct target *t, struct why *why)
{
    size_t n = strcspn(rest, ":");
    AUTO_STR char *port = n ? xstrndup(rest, n) : NULL;
    if (port && !is_port(port, true))
        return refuse(why, -EINVAL, "%s: bad port number", text);
    rest += n;
    if (*rest == ':') {
        rest++;
        int err = take_host(text, &rest, &t->host, why);
        if (err)
            return err;
        if (*rest)
            return refuse(why, -EINVAL, "%s: unexpected text behind the address", text);
    }
    t->port = MOVE(port);
    return 0;
}

static int
parse_rest(const char *text, const char *rest, struct target *t, struct why *why)
{
    if (!t->is_unix)
        return (t->is_passive ? parse_passive : parse_active)(text, rest, t, why);
    if (!*rest)
        return refuse(why, -EINVAL, "%s: a file name is missing", text);
    t->path = dir_file(dir_run(), rest);
    return 0;
}

int
target_parse(const char *text, struct target *out, struct why *why)
{
    const struct kind *k = kind_of(text);
    if (!k)
        return refuse(why, -EAFNOSUPPORT, "%s: neither tcp:, ssl:, unix:, ptcp:, pssl: nor punix:", text);
    *out = (struct target){.is_passive = k->is_passive, .is_unix = k->is_unix, .is_tls = k->is_tls};
    int err = parse_rest(text, text + strlen(k->prefix), out, why);
    if (err)
        target_fini(out);
    return err;
}

bool
target_is_valid(const char *text, struct why *why)
{
    struct target t;
    if (target_parse(text, &t, why))
        return false;
    target_fini(&t);
    return true;
}

char *
target_with_port(const char *text, uint16_t port)
{
    struct target t;
    if (target_parse(text, &t, NULL))
        return xstrdup(text);
    bool lacks = !t.is_unix && !t.port;
    struct text out = TEXT_INIT;
    text_add(&out, text);
    if (lacks && t.is_passive) {
        const char *rest = strchr(text, ':') + 1;
        text_cut(&out, rest - text);
        text_addf(&out, "%u%s", port, rest);
    } else if (lacks) {
        text_addf(&out, ":%u", port);
    }
    target_fini(&t);
    return text_steal(&out);
}

int
target_lookup_numeric(const struct target *t, struct addrinfo **out)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | (t->is_passive ? AI_PASSIVE : 0)};
    const char *host = t->host ? t->host : t->is_passive ? "0.0.0.0" : NULL;
    return getaddrinfo(host, t->port ? t->port : "0", &hints, out) ? -EAI_NONAME : 0;
}

/* ---- unix sockets ---- */

/* Fills 'sun' for 'path'; *dir_fd must stay open while the address is in use (-1: none was needed). */
static int
unix_address(const char *path, struct sockaddr_un *sun, int *dir_fd)
{
    *sun = (struct sockaddr_un){.sun_family = AF_UNIX};
    *dir_fd = -1;
    size_t len = strlen(path);
    if (len < sizeof sun->sun_path) {
        memcpy(sun->sun_path, path, len + 1);
        return 0;
    }
    const char *slash = strrchr(path, '/');
    AUTO_STR char *dir = xstrndup(path, slash ? MAX(slash - path, 1) : 0);
    const char *name = slash ? slash + 1 : path;
    int fd = open(slash ? dir : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int n = snprintf(sun->sun_path, sizeof sun->sun_path, "/proc/self/fd/%d/%s", fd, name);
    if (n < 0 || (size_t) n >= sizeof sun->sun_path) {
        close(fd);
        return -ENAMETOOLONG;
    }
    *dir_fd = fd;
    return 0;
}

static int
unix_socket(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return fd < 0 ? -errno : fd;
}

int
unix_socket_connect(const char *path, bool *in_progress)
{
    struct sockaddr_un sun;
    AUTO_FD int dir = -1;
    int err = unix_address(path, &sun, &dir);
    if (err)
        return err;
    int fd = unix_socket();
    if (fd < 0)
        return fd;
    *in_progress = false;
    if (connect(fd, (struct sockaddr *) &sun, sizeof sun)) {
        err = -errno;
        if (err != -EINPROGRESS) {
            close(fd);
            return err;
        }
        *in_progress = true;
    }
    return fd;
}

/* Does somebody answer there?  A full queue (EAGAIN) is an answer too. */
static bool
is_in_use(const char *path)
{
    bool in_progress;
    int fd = unix_socket_connect(path, &in_progress);
    if (fd >= 0)
        close(fd);
    return fd >= 0 || fd == -EAGAIN;
}

static int
bind_and_listen(int fd, const struct sockaddr_un *sun)
{
    fchmod(fd, 0770); /* the file inherits it: owner and group, less the umask */
    if (bind(fd, (const struct sockaddr *) sun, sizeof *sun) || listen(fd, SOMAXCONN))
        return -errno;
    return 0;
}

int
unix_socket_listen(const char *path, struct why *why)
{
    struct sockaddr_un sun;
    AUTO_FD int dir = -1;
    int err = unix_address(path, &sun, &dir);
    if (err)
        return refuse(why, err, "%s: cannot be a socket (%s)", path, strerror(-err));
    int fd = unix_socket();
    if (fd < 0)
        return refuse(why, fd, "%s: no socket (%s)", path, strerror(-fd));
    err = bind_and_listen(fd, &sun);
    struct stat st;
    if (err == -EADDRINUSE && !lstat(path, &st) && S_ISSOCK(st.st_mode) && !is_in_use(path)) {
        unlink(path);
        err = bind_and_listen(fd, &sun);
    }
    if (err) {
        close(fd);
        return refuse(why, err, "%s: binding failed (%s)", path, strerror(-err));
    }
    return fd;
}
