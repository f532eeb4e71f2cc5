/* badio - a disk that fails on command, for the crash cases: LD_PRELOAD=libbadio.so BADIO_CONTROL=FILE BADIO_NAME=PART-OF-A-PATH program.
 *
 * While FILE holds a word, writes to (or syncs of) files whose path contains PART-OF-A-PATH do what it says:
 *     die       half of the bytes are written, then the process is killed      short     half of the bytes are written and reported
 *     enospc    nothing is written: the disk is full                            eio       nothing is written: the disk is broken
 *     diesync   the process is killed instead of the sync                       failsync  the sync fails
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

ssize_t pwrite64(int fd, const void *bytes, size_t n, off_t at);
int fdatasync(int fd);

static bool
is_concerned(int fd)
{
    char link[32], path[4096];
    const char *name = getenv("BADIO_NAME");
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n < 0 || !name)
        return false;
    path[n] = '\0';
    return strstr(path, name) != NULL;
}

static const char *
word(void)
{
    static char text[32];
    const char *control = getenv("BADIO_CONTROL");
    int fd = control ? open(control, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return "";
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    text[strcspn(text, "\n ")] = '\0';
    return text;
}

ssize_t
pwrite64(int fd, const void *bytes, size_t n, off_t at)
{
    static ssize_t (*real)(int, const void *, size_t, off_t);
    if (!real)
        *(void **) &real = dlsym(RTLD_NEXT, "pwrite64");
    const char *w = is_concerned(fd) ? word() : "";
    if (!strcmp(w, "enospc") || !strcmp(w, "eio")) {
        errno = !strcmp(w, "eio") ? EIO : ENOSPC;
        return -1;
    }
    if (!strcmp(w, "short") && n > 1)
        return real(fd, bytes, n / 2, at);
    if (!strcmp(w, "die")) {
        (void) !real(fd, bytes, n / 2, at);
        kill(getpid(), SIGKILL);
    }
    return real(fd, bytes, n, at);
}

int
fdatasync(int fd)
{
    static int (*real)(int);
    if (!real)
        *(void **) &real = dlsym(RTLD_NEXT, "fdatasync");
    const char *w = is_concerned(fd) ? word() : "";
    if (!strcmp(w, "diesync"))
        kill(getpid(), SIGKILL);
    if (!strcmp(w, "failsync")) {
        errno = EIO;
        return -1;
    }
    return real(fd);
}
