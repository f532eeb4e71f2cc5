/* log_syslog - see the header.  A datagram is "<PRIORITY>Jan  2 03:04:05 HOST PROGRAM: line" (RFC 3164); one that cannot be sent is lost. */
#include "base/log_syslog.h"
#include "base/mem.h"
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

static struct {
    bool is_set, is_off;
    int opened_facility; /* of libc's syslog; -1: not open */
    int fd;              /* of the method's socket; -1: libc */
    int target_fd;       /* -1: none */
} way = {.opened_facility = -1, .fd = -1, .target_fd = -1};

static int
open_unix(const char *path, struct why *why)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof sun.sun_path)
        return refuse(why, -ENAMETOOLONG, "%s: too long for a socket", path);
    memcpy(sun.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *) &sun, sizeof sun)) {
        int err = -errno;
        if (fd >= 0)
            close(fd);
        return refuse(why, err, "%s: cannot be used for syslog (%s)", path, strerror(-err));
    }
    return fd;
}

/* "IP:PORT", "[IP6]:PORT", or without a port. */
static int
open_udp(const char *text, struct why *why)
{
    AUTO_STR char *copy = xstrdup(text);
    char *host = copy, *port = strrchr(copy, ':');
    if (*host == '[') {
        char *end = strchr(++host, ']');
        if (!end)
            return refuse(why, -EINVAL, "%s: [ without ]", text);
        *end = 0;
        port = end[1] == ':' ? end + 1 : NULL;
    }
    if (port)
        *port++ = 0;
    struct addrinfo *found, hints = {.ai_socktype = SOCK_DGRAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    if (getaddrinfo(host, port ? port : "514", &hints, &found))
        return refuse(why, -EINVAL, "%s: not an address with a port", text);
    int fd = socket(found->ai_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int err = fd < 0 || connect(fd, found->ai_addr, found->ai_addrlen) ? -errno : 0;
    freeaddrinfo(found);
    if (err) {
        if (fd >= 0)
            close(fd);
        return refuse(why, err, "%s: cannot be used for syslog (%s)", text, strerror(-err));
    }
    return fd;
}

static void
replace_fd(int *fd, int fresh)
{
    if (*fd >= 0)
        close(*fd);
    *fd = fresh;
}

int
syslog_set_method(const char *method, struct why *why)
{
    int fd = -1;
    if (!strncmp(method, "unix:", 5))
        fd = open_unix(method + 5, why);
    else if (!strncmp(method, "udp:", 4))
        fd = open_udp(method + 4, why);
    else if (strcmp(method, "libc") && strcmp(method, "null"))
        return refuse(why, -EINVAL, "%s: unknown syslog method (libc, null, unix:FILE, udp:IP:PORT)", method);
    if (fd < -1)
        return fd;
    replace_fd(&way.fd, fd);
    way.is_off = !strcmp(method, "null");
    way.is_set = true;
    return 0;
}

int
syslog_set_target(const char *target, struct why *why)
{
    int fd = open_udp(target, why);
    if (fd < 0)
        return fd;
    replace_fd(&way.target_fd, fd);
    return 0;
}

static void
send_datagram(int fd, int priority, const char *program, const char *line)
{
    char bytes[1024], when[32], host[64] = "localhost";
    time_t now = time(NULL);
    struct tm tm;
    strftime(when, sizeof when, "%b %e %H:%M:%S", localtime_r(&now, &tm));
    gethostname(host, sizeof host - 1);
    int n = snprintf(bytes, sizeof bytes, "<%d>%s %s %s: %s", priority, when, host, program, line);
    if (n > 0)
        send(fd, bytes, MIN((size_t) n, sizeof bytes - 1), MSG_NOSIGNAL);
}

void
syslog_send(int facility, int level, const char *program, const char *line)
{
    if (!way.is_set) {
        const char *method = getenv("OVS_SYSLOG_METHOD");
        if (!method || syslog_set_method(method, NULL))
            syslog_set_method("libc", NULL);
    }
    if (way.target_fd >= 0)
        send_datagram(way.target_fd, facility | level, program, line);
    if (way.is_off)
        return;
    if (way.fd >= 0) {
        send_datagram(way.fd, facility | level, program, line);
        return;
    }
    if (way.opened_facility != facility) {
        openlog(program, LOG_NDELAY, facility);
        way.opened_facility = facility;
    }
    syslog(level, "%s", line);
}
