/* dblog - see the header.
 *
 * The length counts the line feed behind the JSON, and so does the hash.
 */
#include "ovsdb/dblog.h"
#include "base/mem.h"
#include "base/sha1.h"
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct dblog {
    char *path, *lock_path;
    int fd, lock_fd;
    enum dblog_mode mode;
    FILE *in;       /* while reading; NULL once writing began */
    int64_t end;    /* where the last good record ends */
    int64_t before; /* where it begins */
    int64_t size;   /* of the file when it was opened; INT64_MAX: no ordinary file */
    bool dirty;     /* something may stand behind 'end' */
};

#define MAGIC "OVSDB JSON "
#define RECORD_MAX ((size_t) 1 << 32)

static char *
lock_name(const char *path)
{
    AUTO_STR char *real = realpath(path, NULL);
    AUTO_STR char *dir = xstrdup(real ? real : path), *base = xstrdup(real ? real : path);
    return xasprintf("%s/.%s.~lock~", dirname(dir), basename(base));
}

static struct dberr *
lock_file(struct dblog *log)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 0};

    log->lock_path = lock_name(log->path);
    log->lock_fd = open(log->lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (log->lock_fd < 0)
        return dberr_io(errno, "%s: failed to lock lockfile", log->path);
    if (fcntl(log->lock_fd, F_SETLK, &lock) < 0)
        return dberr_io(EAGAIN, "%s: failed to lock lockfile", log->path);
    return NULL;
}

static struct dberr *
open_file(struct dblog *log)
{
    struct stat st;
    int flags = log->mode == DBLOG_READ ? O_RDONLY : log->mode == DBLOG_CREATE ? O_RDWR | O_CREAT | O_EXCL : O_RDWR;

    log->fd = open(log->path, flags | O_CLOEXEC, 0640);
    if (log->fd < 0)
        return dberr_io(errno, "%s: %s failed", log->path, log->mode == DBLOG_CREATE ? "create" : "open");
    log->size = !fstat(log->fd, &st) && S_ISREG(st.st_mode) ? st.st_size : INT64_MAX;
    if (log->mode == DBLOG_CREATE)
        return NULL;
    log->in = fdopen(dup(log->fd), "r");
    return log->in ? NULL : dberr_io(errno, "%s: fdopen failed", log->path);
}

struct dberr *
dblog_open(const char *path, enum dblog_mode mode, struct dblog **out)
{
    AUTO(dblog) struct dblog *log = xzalloc(sizeof *log);
    struct stat st;

    log->path = xstrdup(path);
    log->fd = log->lock_fd = -1;
    log->mode = mode;
    if (mode == DBLOG_READ_WRITE && stat(path, &st))
        return dberr_io(errno, "%s: open failed", path);
    struct dberr *err = mode != DBLOG_READ ? lock_file(log) : NULL;
    if (!err)
        err = open_file(log);
    if (!err)
        *out = MOVE(log);
    return err;
}

void
dblog_free(struct dblog *log)
{
    if (!log)
        return;
    if (log->in)
        fclose(log->in);
    if (log->fd >= 0)
        close(log->fd);
    if (log->lock_fd >= 0)
        close(log->lock_fd);
    free(log->lock_path);
    free(log->path);
    free(log);
}

static void
hash_text(const void *data, size_t n, char hex[41])
{
    uint8_t sha[SHA1_LEN];
    static const char digits[] = "0123456789abcdef";

    sha1(data, n, sha);
    for (int i = 0; i < SHA1_LEN; i++) {
        hex[2 * i] = digits[sha[i] >> 4];
        hex[2 * i + 1] = digits[sha[i] & 15];
    }
    hex[40] = '\0';
}

static struct dberr *
parse_header(const struct dblog *log, const char *line, size_t *n, char hex[41])
{
    unsigned long long len;
    int used = 0;

    if (!strncmp(line, "OVSDB CLUSTER ", 14))
        return dberr("ovsdb error", "%s: cannot apply this operation to clustered database file", log->path);
    if (sscanf(line, MAGIC "%llu %40[0-9a-f]%n", &len, hex, &used) != 2 || strlen(hex) != 40 || line[used] != '\n')
        return dberr_syntax(NULL, NULL, "%s: parse error at offset %lld in header line \"%.*s\"", log->path,
                            (long long) log->end, (int) strcspn(line, "\n"), line);
    if (len >= RECORD_MAX || !len)
        return dberr_syntax(NULL, NULL, "%s: parse error at offset %lld in header line \"%.*s\"", log->path,
                            (long long) log->end, (int) strcspn(line, "\n"), line);
    *n = len;
    return NULL;
}

static struct dberr *
read_body(struct dblog *log, int64_t at, size_t n, const char *want, char **out)
{
    char hex[41];

    if ((int64_t) n > log->size - at)
        return dberr_io(-1, "%s: error reading %zu bytes starting at offset %lld", log->path, n, (long long) at);
    char *text = xmalloc(n + 1);
    if (fread(text, 1, n, log->in) != n) {
        free(text);
        return dberr_io(ferror(log->in) ? errno : -1, "%s: error reading %zu bytes starting at offset %lld", log->path,
                        n, (long long) at);
    }
    hash_text(text, n, hex);
    if (strcmp(hex, want)) {
        free(text);
        return dberr_syntax(NULL, NULL,
                            "%s: %zu bytes starting at offset %lld have SHA-1 hash %s but should have hash %s",
                            log->path, n, (long long) at, hex, want);
    }
    *out = text;
    return NULL;
}

struct dberr *
dblog_read(struct dblog *log, char **text, size_t *n)
{
    char line[128], hex[41];

    *text = NULL;
    if (!log->in || !fgets(line, sizeof line, log->in))
        return log->in && ferror(log->in) ? dberr_io(errno, "%s: read failed", log->path) : NULL;
    log->dirty = true;
    int64_t at = log->end + (int64_t) strlen(line);
    struct dberr *err = parse_header(log, line, n, hex);
    if (!err)
        err = read_body(log, at, *n, hex, text);
    if (err)
        return err;
    log->dirty = false;
    log->before = log->end;
    log->end = at + (int64_t) *n;
    return NULL;
}

void
dblog_unread(struct dblog *log)
{
    log->end = log->before;
    log->dirty = true;
}

/* Ends reading. */
static void
stop_reading(struct dblog *log)
{
    if (log->in)
        fclose(log->in);
    log->in = NULL;
}

int64_t
dblog_cut(struct dblog *log)
{
    struct stat st;

    stop_reading(log);
    if (fstat(log->fd, &st) || st.st_size <= log->end)
        return 0;
    log->dirty = ftruncate(log->fd, log->end) != 0;
    return st.st_size - log->end;
}

void
dblog_compose(struct text *t, const char *json, size_t n)
{
    char hex[41];
    size_t header = t->len;

    /* The hash covers the line feed, so the line is put together first and the header before it. */
    text_reserve(t, n + 128);
    text_pad(t, ' ', header + 96);
    size_t body = t->len;
    text_addn(t, json, n);
    text_addc(t, '\n');
    hash_text(t->s + body, n + 1, hex);
    char line[97];
    int len = snprintf(line, sizeof line, MAGIC "%zu %s\n", n + 1, hex);
    memcpy(t->s + header, line, len);
    memmove(t->s + header + len, t->s + body, n + 1);
    text_cut(t, header + len + n + 1);
}

static struct dberr *
write_all(struct dblog *log, const char *p, size_t n)
{
    int64_t at = log->end;
    while (n) {
        ssize_t w = pwrite(log->fd, p, n, at);
        if (w < 0 && errno == EINTR)
            continue;
        if (w <= 0) {
            int err = w < 0 ? errno : ENOSPC;
            log->dirty = ftruncate(log->fd, log->end) != 0;
            return dberr_io(err, "%s: write failed", log->path);
        }
        p += w;
        at += w;
        n -= w;
    }
    log->before = log->end;
    log->end = at;
    return NULL;
}

struct dberr *
dblog_write(struct dblog *log, const char *json, size_t n)
{
    static struct text record; /* kept: a commit asks the system for nothing */

    stop_reading(log);
    if (log->dirty) {
        if (ftruncate(log->fd, log->end))
            return dberr_io(errno, "%s: cannot truncate to length %lld", log->path, (long long) log->end);
        log->dirty = false;
    }
    text_cut(&record, 0);
    dblog_compose(&record, json, n);
    struct dberr *err = write_all(log, record.s, record.len);
    if (record.room > 1 << 20)
        text_fini(&record);
    return err;
}

struct dberr *
dblog_sync(struct dblog *log)
{
    return fdatasync(log->fd) ? dberr_io(errno, "%s: fsync failed", log->path) : NULL;
}

void
dblog_seek_end(struct dblog *log)
{
    stop_reading(log);
    log->end = lseek(log->fd, 0, SEEK_END);
    log->before = log->end;
    log->dirty = false;
}

int64_t
dblog_size(const struct dblog *log)
{
    return log->end;
}

int
dblog_fd(const struct dblog *log)
{
    return log->fd;
}

const char *
dblog_path(const struct dblog *log)
{
    return log->path;
}

static void
sync_directory(const char *path)
{
    AUTO_STR char *copy = xstrdup(path);
    AUTO_FD int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0)
        (void) !fsync(fd);
}

struct dberr *
dblog_replace(struct dblog *log, struct dblog *other)
{
    AUTO_STR char *target = realpath(log->path, NULL); /* a link stays a link */

    if (rename(other->path, target ? target : log->path))
        return dberr_io(errno, "failed to rename \"%s\" to \"%s\"", other->path, log->path);
    sync_directory(target ? target : log->path);
    int fd = log->fd;
    log->fd = other->fd;
    other->fd = fd;
    stop_reading(log);
    log->end = other->end;
    log->before = other->before;
    log->dirty = false;
    unlink(other->lock_path);
    dblog_free(other);
    return NULL;
}
