/* pidfile - see the header.
 *
 * A reader must never see an unfinished file, and of two processes that start at once one must lose.  So FILE.tmp is made,
 * locked (who cannot is the loser), filled and renamed to FILE: the lock moves with it.  A loser that opened FILE.tmp a moment too
 * late gets a new one, and finds FILE locked by the winner.
 *
 * Locks of fcntl() belong to the process and are lost when it closes any descriptor of the file: our own file is never opened again.
 */
#include "io/pidfile.h"
#include "base/mem.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct {
    char *path;
    pid_t owner; /* a forked child must not unlink it */
    dev_t dev;
    ino_t ino;
} ours;

static int
lock_file(int fd)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    return fcntl(fd, F_SETLK, &lock) ? -errno : 0;
}

pid_t
pidfile_read(const char *path)
{
    struct stat st;
    if (ours.path && ours.owner == getpid() && !stat(path, &st) && st.st_dev == ours.dev && st.st_ino == ours.ino)
        return ours.owner;
    AUTO_FD int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0 && (errno == EACCES || errno == EROFS))
        fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(fd, F_GETLK, &lock))
        return -errno;
    if (lock.l_type == F_UNLCK)
        return -ESRCH;
    char line[32];
    ssize_t n = read(fd, line, sizeof line - 1);
    if (n <= 0)
        return n < 0 ? -errno : -ESRCH;
    line[n] = 0;
    long pid = strtol(line, NULL, 10);
    /* In another pid namespace (a container's) the lock's owner is 0: the file is to be believed. */
    return pid > 0 && (lock.l_pid == pid || lock.l_pid == 0) ? pid : -ESRCH;
}

static void
remove_ours(void)
{
    struct stat st;
    if (ours.path && ours.owner == getpid() && !stat(ours.path, &st) && st.st_dev == ours.dev && st.st_ino == ours.ino)
        unlink(ours.path);
}

static int
check_running(const char *path, struct why *why)
{
    pid_t pid = pidfile_read(path);
    if (pid > 0)
        return refuse(why, -EEXIST, "%s: already running as pid %ld, aborting", path, (long) pid);
    if (pid != -ENOENT && pid != -ESRCH)
        return refuse(why, pid, "%s: pidfile check failed (%s), aborting", path, strerror(-pid));
    return 0;
}

static int
fill(int fd, const char *tmp, const char *path, struct why *why)
{
    struct stat st;
    if (ftruncate(fd, 0) || dprintf(fd, "%ld\n", (long) getpid()) < 0 || fstat(fd, &st))
        return refuse(why, -errno, "%s: write failed (%s)", tmp, strerror(errno));
    if (rename(tmp, path))
        return refuse(why, -errno, "failed to rename \"%s\" to \"%s\" (%s)", tmp, path, strerror(errno));
    if (!ours.path)
        atexit(remove_ours);
    free(ours.path);
    ours.path = xstrdup(path);
    ours.owner = getpid();
    ours.dev = st.st_dev;
    ours.ino = st.st_ino;
    return 0;
}

int
pidfile_create(const char *path, bool overwrite, struct why *why)
{
    AUTO_STR char *tmp = overwrite ? xasprintf("%s.tmp%ld", path, (long) getpid()) : xasprintf("%s.tmp", path);
    AUTO_FD int fd = open(tmp, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0)
        return refuse(why, -errno, "%s: create failed (%s)", tmp, strerror(errno));
    int err = lock_file(fd);
    if (err)
        return refuse(why, err, "%s: fcntl(F_SETLK) failed (%s)", tmp, strerror(-err));
    if (!overwrite)
        err = check_running(path, why);
    if (!err)
        err = fill(fd, tmp, path, why);
    if (err) {
        unlink(tmp);
        return err;
    }
    fd = -1; /* stays open: closing it would give the lock up */
    return 0;
}
