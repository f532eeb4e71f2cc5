/* dbclient - ovsdb-client: questions to a database server, and watching what it holds.
 *
 * Shape.   One connection, one question at a time: dbc_call() waits for the answer.  Notifications that come meanwhile go to dbc.notice.
 */
#ifndef CLI_DBCLIENT_H
#define CLI_DBCLIENT_H 1

#include "cli/table.h"
#include "io/daemon.h"
#include "ovsdb/rpc.h"
#include "ovsdb/schema.h"

struct dbc {
    struct table_style style;
    bool timestamp, force, any_server;
    unsigned timeout_s;
    struct daemon_options daemon;
    FILE *out;

    const char *server; /* the target list */
    char *target;       /* the one in use */
    const char *database;
    struct loop *loop;
    struct rpc *rpc;
    bool is_up, is_closed, must_stop;
    char *reason; /* why the line is closed */

    int64_t waiting;     /* the id of the question; 0: none */
    struct arena *arena; /* where its answer goes */
    struct jv result, error;
    bool is_answered, is_error;

    void (*notice)(struct dbc *, const struct rpc_msg *); /* NULL: passed over */
    void *aux;
};

/* The answer is put into 'arena'.  -EREMOTEIO with the server's error in 'why'. */
int dbc_call(struct dbc *, struct arena *, const char *method, const char *params, struct jv *result, struct why *);
int dbc_transact(struct dbc *, struct arena *, const char *params, struct jv *results, struct why *);
int dbc_schema(struct dbc *, struct schema **, struct why *);
/* Forks if asked to; before dbc_connect(). */
int dbc_connect(struct dbc *, struct why *);
/* Until 'exit' is asked for, or the line breaks (-errno). */
int dbc_serve(struct dbc *, struct why *);
void dbc_print_json(struct dbc *, const struct jv *);

/* Commands; argv[0] is the command, without server and database. */
int dbc_dump(void *dbc, int argc, char *argv[], struct why *);
int dbc_backup(void *dbc, int argc, char *argv[], struct why *);
int dbc_restore(void *dbc, int argc, char *argv[], struct why *);
int dbc_monitor(void *dbc, int argc, char *argv[], struct why *);
int dbc_monitor_cond(void *dbc, int argc, char *argv[], struct why *);
int dbc_monitor_cond_since(void *dbc, int argc, char *argv[], struct why *);

/* Exit status: 0; 1 a refusal; SIGALRM the timeout. */
int dbclient_main(int argc, char *argv[]);

#endif
