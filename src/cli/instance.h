/* instance - where one sluice keeps its files, and which of its programs run.
 *
 * Use.    AUTO(instance) struct instance *in = instance_new();
 * Shape.  Said by OVS_RUNDIR, OVS_DBDIR and OVS_LOGDIR (io/dirs.h); an OVS_RUNDIR of its own makes an instance of its own.  The database and the
 *         switch go by the field's names there, so that its tools find them.
 */
#ifndef CLI_INSTANCE_H
#define CLI_INSTANCE_H 1

#include "base/clock.h"
#include "base/own.h"
#include "base/why.h"
#include <sys/types.h>

enum part { PART_DB, PART_SWITCH, N_PARTS };

struct instance {
    const char *run, *log, *db; /* directories */
    char *conf;                 /* the database file */
    char *socket;               /* where the database listens */
    char *pidfile;              /* the supervisor's */
    char *output;               /* what the programs print */
    struct {
        const char *name; /* "ovsdb-server": of its pid file and control socket */
        char *pidfile;
    } parts[N_PARTS];
};

struct instance *instance_new(void);
void instance_free(struct instance *); /* NULL is fine */
OWN(instance);

/* Makes the directories that are not there. */
int instance_make_dirs(const struct instance *, struct why *);
pid_t instance_supervisor(const struct instance *); /* 0: none runs */
pid_t instance_part(const struct instance *, enum part);
/* Does the program that runs as 'pid' accept connections wherever it should? */
bool instance_answers(const struct instance *, enum part, pid_t);
/* Removes what programs that were killed left in the run directory. */
void instance_sweep(const struct instance *);

#endif
