/* store - see the header.
 *
 * Compaction, step by step; each step is a function that arranges for the next:
 *   begin      fork.  The child writes PATH.tmp and leaves; here every record written from now on is also kept in 'tail'
 *   child_done (its pipe was closed)  if all went well: append what is in 'tail', fsync on the worker
 *   synced     append the little that came since, fsync, rename over PATH
 * Any trouble removes PATH.tmp and leaves the old file in service.
 */
#include "ovsdb/store.h"
#include "base/log.h"
#include "base/vec.h"
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

LOG_MODULE(ovsdb_file);

struct waiter {
    void (*done)(void *aux, const struct dberr *err);
    void *aux;
};
typedef VEC(struct waiter) waiter_list;

struct store {
    struct loop *loop;
    char *path;
    struct dblog *log;
    struct text record; /* of the commit being written */
    bool no_diff, trim;
    char *trouble;

    struct task sync_soon;
    uv_work_t sync_work;
    bool is_syncing;
    int sync_fd, sync_errno;
    waiter_list waiting, syncing;

    char *tmp;
    pid_t child; /* 0: none */
    int child_fd;
    struct watch *child_watch;
    bool is_compacting;
    bool tail_syncing; /* the worker is on the new file */
    struct text tail;
    struct dblog *fresh;
    waiter_list compact_waiters;
    instant compact_began, last_compact;
    unsigned n_commits; /* since then */
    int64_t base_size;  /* of the snapshot */
    bool sync_failed;   /* since the file was last written anew */
    bool is_closing;
};

#define COMPACT_MIN seconds(600)
#define COMPACT_MAX seconds(24 * 3600)
#define COMPACT_RETRY seconds(60)

int
store_open(struct loop *loop, const char *path, struct store **out, struct db **db, struct why *why)
{
    struct dberr *bad = NULL;
    AUTO(dblog) struct dblog *log = NULL;
    struct dberr *err = dblog_open(path, DBLOG_READ_WRITE, &log);

    if (!err)
        err = dbfile_load(log, NULL, db, &bad);
    if (err)
        return dberr_refuse(err, -EINVAL, why);
    int64_t lost = dblog_cut(log);
    if (bad) {
        AUTO_STR char *s = dberr_str(bad);
        log_warn("%s", s);
        dberr_free(bad);
    }
    if (lost)
        log_warn("%s: cut off %lld bytes behind the last whole record at offset %lld", path, (long long) lost,
                 (long long) dblog_size(log));

    struct store *s = xzalloc(sizeof *s);
    s->loop = loop;
    s->path = xstrdup(path);
    s->tmp = xasprintf("%s.tmp", path);
    s->log = MOVE(log);
    s->child_fd = -1;
    s->base_size = dblog_size(s->log);
    s->last_compact = loop ? loop_now(loop) : (instant){0};
    if (access(s->tmp, F_OK) == 0 && unlink(s->tmp) == 0)
        log_info("%s: removed what an interrupted compaction left behind", s->tmp);
    *out = s;
    return 0;
}

static void
set_trouble(struct store *s, const char *text)
{
    if (text && !s->trouble)
        log_err("%s: transactions are refused until this is over: %s", s->path, text);
    else if (!text && s->trouble)
        log_info("%s: writing works again", s->path);
    free(s->trouble);
    s->trouble = text ? xstrdup(text) : NULL;
}

struct dberr *
store_write(struct store *s, const struct txn *txn)
{
    text_cut(&s->record, 0);
    if (!dbfile_record(txn, !s->no_diff, &s->record))
        return NULL;
    struct dberr *err = dblog_write(s->log, s->record.s, s->record.len);
    if (err) {
        AUTO_STR char *text = dberr_str(err);
        set_trouble(s, text);
        return err;
    }
    set_trouble(s, NULL);
    s->n_commits++;
    if (s->is_compacting)
        dblog_compose(&s->tail, s->record.s, s->record.len);
    if (s->record.room > 1 << 20)
        text_fini(&s->record);
    return NULL;
}

/* ---- fsync ---- */

static void
call_all(waiter_list *list, const struct dberr *err)
{
    waiter_list now = *list;
    *list = (waiter_list) VEC_INIT;
    for (size_t i = 0; i < now.n; i++)
        if (now.at[i].done)
            now.at[i].done(now.at[i].aux, err);
    vec_fini(&now);
}

static void
sync_work(uv_work_t *work)
{
    struct store *s = CONTAINER_OF(work, struct store, sync_work);
    s->sync_errno = fdatasync(s->sync_fd) ? errno : 0;
}

static void sync_start(struct store *, int fd);
static void tail_synced(struct store *, int err);

static void
sync_done(uv_work_t *work, int status UNUSED)
{
    struct store *s = CONTAINER_OF(work, struct store, sync_work);

    s->is_syncing = false;
    if (s->tail_syncing) {
        s->tail_syncing = false;
        tail_synced(s, s->sync_errno);
    } else if (s->sync_errno) {
        AUTO(dberr) struct dberr *err = dberr_io(s->sync_errno, "%s: fsync failed", s->path);
        log_err("%s: fsync failed (%s)", s->path, strerror(s->sync_errno));
        s->sync_failed = true; /* store_run() */
        call_all(&s->syncing, err);
    } else {
        call_all(&s->syncing, NULL);
    }
    if (s->waiting.n && !s->is_syncing && !s->is_closing)
        task_soon(&s->sync_soon);
}

static void
sync_start(struct store *s, int fd)
{
    s->is_syncing = true;
    s->sync_fd = fd;
    uv_queue_work(loop_uv(s->loop), &s->sync_work, sync_work, sync_done);
}

static void
sync_begin(void *aux)
{
    struct store *s = aux;

    if (s->is_syncing)
        return; /* sync_done() comes back here */
    waiter_list free_room = s->syncing;
    s->syncing = s->waiting;
    s->waiting = free_room;
    vec_clear(&s->waiting);
    sync_start(s, dblog_fd(s->log));
}

void
store_sync(struct store *s, void (*done)(void *aux, const struct dberr *err), void *aux)
{
    vec_push(&s->waiting, ((struct waiter){done, aux}));
    if (!s->sync_soon.fn)
        task_init(&s->sync_soon, s->loop, sync_begin, s);
    task_soon(&s->sync_soon); /* after this turn: what it still commits shares the fsync */
}

/* ---- compaction ---- */

static void
compact_end(struct store *s, struct dberr *err)
{
    watch_free(s->child_watch);
    s->child_watch = NULL;
    if (s->child_fd >= 0)
        close(s->child_fd);
    s->child_fd = -1;
    dblog_free(s->fresh);
    s->fresh = NULL;
    text_fini(&s->tail);
    s->is_compacting = false;
    s->last_compact = loop_now(s->loop);
    if (err) {
        AUTO_STR char *text = dberr_str(err);
        log_warn("%s: compaction failed: %s", s->path, text);
        unlink(s->tmp);
        s->last_compact = instant_add(s->last_compact, (span){COMPACT_RETRY.ns - COMPACT_MIN.ns});
    } else {
        s->sync_failed = false;
        s->n_commits = 0;
        s->base_size = dblog_size(s->log);
        log_info("%s: Database compaction took %lldms", s->path,
                 (long long) span_ms(instant_since(loop_now(s->loop), s->compact_began)));
        if (s->trim)
            malloc_trim(0);
    }
    call_all(&s->compact_waiters, err);
    dberr_free(err);
}

static struct dberr *
append_tail(struct store *s)
{
    const char *p = s->tail.s;
    size_t n = s->tail.len;

    while (n) {
        ssize_t w = write(dblog_fd(s->fresh), p, n);
        if (w < 0 && errno == EINTR)
            continue;
        if (w <= 0)
            return dberr_io(w < 0 ? errno : ENOSPC, "%s: write failed", s->tmp);
        p += w;
        n -= w;
    }
    text_cut(&s->tail, 0);
    return NULL;
}

/* Opens the snapshot again as a log whose end is the end of the file. */
static struct dberr *
open_fresh(struct store *s)
{
    struct dberr *err = dblog_open(s->tmp, DBLOG_READ_WRITE, &s->fresh);
    if (!err)
        dblog_seek_end(s->fresh);
    return err;
}

static void
tail_synced(struct store *s, int errnum)
{
    struct dberr *err = errnum ? dberr_io(errnum, "%s: fsync failed", s->tmp) : NULL;

    if (!err && s->tail.len) {
        err = append_tail(s);
        if (!err)
            err = dblog_sync(s->fresh);
    }
    if (!err) {
        dblog_seek_end(s->fresh);
        err = dblog_replace(s->log, s->fresh);
        if (!err)
            s->fresh = NULL;
    }
    compact_end(s, err);
}

static void
tail_begin(struct store *s)
{
    struct dberr *err = open_fresh(s);
    if (!err)
        err = append_tail(s);
    if (err) {
        compact_end(s, err);
        return;
    }
    s->tail_syncing = true;
    sync_start(s, dblog_fd(s->fresh));
}

static void
tail_when_idle(void *aux, const struct dberr *err UNUSED)
{
    struct store *s = aux;
    if (s->is_closing)
        return;
    if (s->is_syncing)
        store_sync(s, tail_when_idle, s); /* cannot be for ever: each turn of it is one fsync */
    else
        tail_begin(s);
}

static void
child_done(void *aux, int events UNUSED)
{
    struct store *s = aux;
    int status = 0;
    char said[200] = "";

    ssize_t n = read(s->child_fd, said, sizeof said - 1);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    watch_free(s->child_watch);
    s->child_watch = NULL;
    while (waitpid(s->child, &status, 0) < 0 && errno == EINTR)
        ;
    s->child = 0;
    if (!WIFEXITED(status) || WEXITSTATUS(status)) {
        compact_end(s, dberr("ovsdb error", "%s", *said ? said : "the process that wrote the snapshot failed"));
        return;
    }
    if (s->is_syncing)
        tail_when_idle(s, NULL);
    else
        tail_begin(s);
}

NORETURN static void
child_main(struct store *s, const struct db *db, const char *comment, int fd, int64_t now_ms)
{
    AUTO_STR char *text = NULL;

    /* Nobody may find a socket of the server's in here, once the server is dead. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    fd = dup2(fd, 3);
    close_range(4, ~0U, 0);
    struct dberr *err = dbfile_save(db, s->tmp, comment, now_ms);

    if (err) {
        text = dberr_str(err);
        (void) !write(fd, text, strlen(text));
    }
    _exit(err ? 1 : 0);
}

void
store_compact(struct store *s, const struct db *db, const char *comment,
              void (*done)(void *aux, const struct dberr *err), void *aux)
{
    int fds[2];

    if (done)
        vec_push(&s->compact_waiters, ((struct waiter){done, aux}));
    if (s->is_compacting)
        return;
    s->compact_began = loop_now(s->loop);
    s->is_compacting = true;
    unlink(s->tmp);
    if (pipe(fds)) {
        compact_end(s, dberr_io(errno, "%s: pipe failed", s->path));
        return;
    }
    int64_t now_ms = loop_wall_ms(s->loop);
    s->child = fork();
    if (s->child == 0) {
        close(fds[0]);
        child_main(s, db, comment, fds[1], now_ms);
    }
    int err = errno;
    close(fds[1]);
    s->child_fd = fds[0];
    if (s->child < 0) {
        s->child = 0;
        compact_end(s, dberr_io(err, "%s: fork failed", s->path));
        return;
    }
    log_info("%s: Compaction started.", s->path);
    s->child_watch = watch_new(s->loop, s->child_fd, UV_READABLE, child_done, s);
}

struct dberr *
store_replace(struct store *s, const struct db *db, const char *comment)
{
    if (s->is_compacting)
        return dberr("not allowed", "%s: a compaction is going on", s->path);
    unlink(s->tmp);
    struct dberr *err = dbfile_save(db, s->tmp, comment, loop_wall_ms(s->loop));
    if (!err)
        err = open_fresh(s);
    if (!err)
        err = dblog_replace(s->log, s->fresh);
    if (err) {
        dblog_free(s->fresh);
        unlink(s->tmp);
    }
    s->fresh = NULL;
    return err;
}

static bool
is_time(const struct store *s)
{
    span age = instant_since(loop_now(s->loop), s->last_compact);
    int64_t size = dblog_size(s->log);

    if (s->n_commits < 100 || age.ns < COMPACT_MIN.ns)
        return false;
    return age.ns >= COMPACT_MAX.ns || (size > 10 << 20 && size / 2 > s->base_size);
}

void
store_run(struct store *s, const struct db *db)
{
    if (!s->is_compacting && s->sync_failed)
        store_compact(s, db, "written anew after a failed fsync", NULL, NULL);
    else if (!s->is_compacting && is_time(s))
        store_compact(s, db, "compacting database online", NULL, NULL);
}

/* ---- the rest ---- */

bool
store_is_compacting(const struct store *s)
{
    return s->is_compacting;
}

const char *
store_path(const struct store *s)
{
    return s->path;
}

void
store_set_diff(struct store *s, bool as_diff)
{
    s->no_diff = !as_diff;
}

void
store_trim_on_compaction(struct store *s, bool trim)
{
    s->trim = trim;
}

const char *
store_trouble(const struct store *s)
{
    return s->trouble;
}

void
store_close(struct store *s)
{
    if (!s)
        return;
    AUTO(dberr) struct dberr *gone = dberr("canceled", "%s: the database is being closed", s->path);
    s->is_closing = true;
    if (s->child > 0) {
        kill(s->child, SIGKILL);
        while (waitpid(s->child, NULL, 0) < 0 && errno == EINTR)
            ;
        unlink(s->tmp);
    }
    while (s->is_syncing)
        uv_run(loop_uv(s->loop), UV_RUN_ONCE);
    task_cancel(&s->sync_soon);
    if (s->is_compacting)
        compact_end(s, dberr("canceled", "%s: the database is being closed", s->path));
    call_all(&s->syncing, gone);
    call_all(&s->waiting, gone);
    vec_fini(&s->syncing);
    vec_fini(&s->waiting);
    vec_fini(&s->compact_waiters);
    text_fini(&s->record);
    dblog_free(s->log);
    free(s->trouble);
    free(s->path);
    free(s->tmp);
    free(s);
}
