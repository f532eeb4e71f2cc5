/* pidfile - one file says which process runs a program, and the lock on it whether it still does.
 *
 * Shape.   The pid in decimal and a line feed; a write lock (fcntl) for as long as the process lives.
 */
#ifndef IO_PIDFILE_H
#define IO_PIDFILE_H 1

#include "base/why.h"
#include <sys/types.h>

/* Locks and writes 'path'; it is unlinked when the process exits.  A live owner is an error unless 'overwrite'. */
int pidfile_create(const char *path, bool overwrite, struct why *);
/* The pid of the live owner, or -ESRCH when nobody holds the lock, -ENOENT, ... */
pid_t pidfile_read(const char *path);

#endif
