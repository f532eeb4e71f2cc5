/* Any bytes as a database file: read as far as they make sense, never further. */
#include "ovsdb/dbfile.h"
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int fd = -1;
    char path[64];
    struct dblog *log;
    struct db *db = NULL;
    struct dberr *bad = NULL;

    if (fd < 0)
        fd = memfd_create("database", MFD_CLOEXEC);
    ASSERT(!ftruncate(fd, 0) && pwrite(fd, data, size, 0) == (ssize_t) size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    struct dberr *err = dblog_open(path, DBLOG_READ, &log);
    ASSERT(!err);
    err = dbfile_load(log, NULL, &db, &bad);
    ASSERT(dblog_size(log) <= (int64_t) size);
    dberr_free(err);
    dberr_free(bad);
    dblog_free(log);
    db_free(db);
    return 0;
}
