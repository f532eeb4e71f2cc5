/* server_impl - what the files of the server show each other.
 *
 *   server.c     the server as a whole; locks; the database _Server
 *   hosted.c     one database being served; requests that wait for something to change
 *   session.c    one client: its requests, monitors, replies
 *   remote.c     where clients come from, and the columns that tell how they do
 *   replicate.c  databases copied from another server: active-backup and relays
 *   control.c    unixctl commands
 */
#ifndef OVSDB_SERVER_IMPL_H
#define OVSDB_SERVER_IMPL_H 1

#include "base/list.h"
#include "ovsdb/execute.h"
#include "ovsdb/monitor.h"
#include "ovsdb/rpc.h"
#include "ovsdb/server.h"
#include "ovsdb/store.h"

struct session;
struct remote;
struct replica_source; /* replicate.c */

enum model { MODEL_STANDALONE, MODEL_RELAY, MODEL_INTERNAL };

struct hosted {
    struct hmap_node node; /* in server->dbs, by name */
    struct server *server;
    char *name;
    enum model model;
    struct db *db;
    struct monitors *monitors;
    struct store *store;           /* standalone only */
    struct replica_source *source; /* relay only */
    char *relay_targets;
    struct list triggers; /* requests that wait */
    uint64_t tried_at;    /* db->n_commits when they were last tried */
    struct uuid row;      /* in _Server's table Database */
    bool is_connected;    /* relay: to its source */
};

struct server {
    struct loop *loop;
    struct uuid id;
    struct hmap dbs;
    struct hosted *self; /* _Server */
    struct list sessions;
    size_t n_sessions;
    struct hmap locks;
    struct hmap remotes;     /* named on the command line or by add-remote */
    struct task retry;       /* triggers whose database has changed */
    struct task reconfigure; /* db: remotes and TLS files */
    struct task reap;        /* sessions to be cut off */
    struct timer tick;       /* compaction, status columns */
    bool no_monitor_cond, no_diff, trim_on_compaction;
    bool is_backup;
    char *source_target, *excluded;
    span source_probe, relay_probe;
    struct replica_source *source;
    bool watches_dbs; /* a db: remote or TLS file exists */
    char *tls_files[TLS_N_FILES];
    char *tls_peer_ca, *tls_protocols, *tls_ciphers, *tls_ciphersuites;
    bool tls_bootstrap;
    void (*on_exit)(void *aux);
    void *on_exit_aux;
    struct text scratch; /* replies are put together here */
};

/* server.c */
struct hosted *server_find(const struct server *, const char *name);
void server_adopt(struct server *, struct hosted *); /* a database has come */
void server_dismiss(struct hosted *);                /* and goes: frees it */
void server_describe(struct hosted *);               /* brings its row in _Server up to date */
/* Sessions that do not know that databases come and go are disconnected. */
void server_db_changed(struct server *, const char *name, const char *comment);
void server_reconnect_all(struct server *, const char *why);

/* Locks: owner or in line behind it. */
struct lock_waiter {
    struct list link; /* in lock->waiters, the owner first */
    struct list session_link;
    struct lock *lock;
    struct session *session;
};
struct lock {
    struct hmap_node node;
    char *name;
    struct list waiters;
};
struct lock_waiter *lock_join(struct server *, const char *name, struct session *, bool steal);
void lock_leave(struct server *, struct lock_waiter *);
bool lock_is_owner(const struct lock_waiter *);

/* hosted.c */
struct hosted *hosted_new(struct server *, struct db *, enum model);
void hosted_free(struct hosted *);
/* Swaps what it serves for 'db': monitors are canceled, clients that do not know conversions are disconnected. */
void hosted_set_db(struct hosted *, struct db *take, const char *comment);
/* A relay has learnt its schema: it starts empty. */
void relay_set_schema(struct hosted *, struct schema *take);

/* session.c */
struct session {
    struct list link;        /* in server->sessions */
    struct list remote_link; /* in remote->sessions */
    struct server *server;
    struct remote *remote;
    struct rpc *rpc;
    struct hmap monitors;  /* by the text of their id */
    struct list locks;     /* of lock_waiters */
    struct list triggers;  /* requests that wait */
    struct list syncs;     /* replies that wait for the disk */
    struct list forwards;  /* requests passed on to a relay's source */
    bool knows_db_changes; /* set_db_change_aware */
    bool read_only, is_doomed, is_up, probed;
    char *role;
    span probe;
    instant heard, connected;
    struct timer probe_timer;
    size_t backlog_limit;
};
struct session *session_new(struct server *, struct remote *, struct rpc *(*make)(struct session *, void *aux),
                            void *aux);
void session_free(struct session *);
void session_doom(struct session *, const char *why); /* closed at the end of the turn */
extern const struct rpc_ops session_rpc_ops;
void session_notify_lock(struct session *, const char *method, const char *lock);
void session_cancel_monitors(struct session *, const struct hosted *, bool tell);
bool session_monitors(const struct session *, const struct hosted *);
void session_set_probe(struct session *, span);
/* The answer to a request that was passed on; msg NULL: there will be none. */
void session_pass_reply(struct session *, const char *id, const struct rpc_msg *);

/* A request that waits: for other rows, or for the end of a conversion. */
struct trigger {
    struct list link;         /* in hosted->triggers */
    struct list session_link; /* in session->triggers */
    struct session *session;
    struct hosted *hosted;
    struct arena arena;
    struct jv params;
    char *id; /* JSON */
    instant began;
    struct timer timeout;
};
void triggers_retry(struct hosted *);
void triggers_cancel(struct hosted *, const char *why); /* "database conversion canceled", a db that goes */

/* remote.c */
void remotes_reconfigure(struct server *);
void remotes_update_status(struct server *);
void remotes_free(struct server *);
void remotes_list(const struct server *, struct text *);
void remote_session_closed(struct remote *, struct session *, const char *reason);

/* replicate.c */
void source_update(struct server *); /* begins or ends copying from server->source_target */
struct replica_source *relay_open(struct hosted *, const char *targets, struct why *);
void source_free(struct replica_source *);
void source_status(const struct server *, struct text *);
void source_set_probe(struct replica_source *, span); /* NULL is fine */
/* Passes a transaction that writes on to the relay's source; false: it is to be dealt with here. */
bool relay_forward(struct hosted *, struct session *, const struct jv *params, const char *id);
struct forward;
void forward_answer(struct forward *, const struct rpc_msg *);
void forwards_fail(struct replica_source *);
void forwards_forget(struct session *); /* the session goes */

#endif
