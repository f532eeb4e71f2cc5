/* server - databases over JSON-RPC: RFC 7047 section 4 and the extensions of ovsdb-server(7), as ovsdb-server(1) runs them.
 *
 * Use.         s = server_new(loop);  server_add_db(s, "conf.db", &why);  server_add_remote(s, "punix:db.sock", &why);  loop_run(loop);
 * Shape.       A server has databases (hosted.c), clients (session.c), places where clients come from (remote.c), and may itself be
 *              the client of another server whose databases it copies (replicate.c).
 * Limits.      A message of 256 MiB, 100 levels of nesting, 8192 clients; a client that leaves 256 MiB (or four times the largest
 *              reply it asked for) unread is cut off.
 * Threads.     The loop's.
 */
#ifndef OVSDB_SERVER_H
#define OVSDB_SERVER_H 1

#include "io/loop.h"

struct server;

struct server *server_new(struct loop *);
void server_free(struct server *); /* NULL is fine */

/* A file, or relay:NAME:TARGET[,TARGET...]. */
int server_add_db(struct server *, const char *what, struct why *);
int server_remove_db(struct server *, const char *name, struct why *);
/* An active or passive target of stream.h, or db:DB,TABLE,COLUMN. */
int server_add_remote(struct server *, const char *remote, struct why *);
int server_remove_remote(struct server *, const char *remote, struct why *);

/* Active-backup.  source NULL or "": keep; tables "DB:TABLE,..." */
int server_set_source(struct server *, const char *source, struct why *);
int server_set_excluded(struct server *, const char *tables, struct why *);
void server_be_backup(struct server *, bool backup);
void server_set_diff(struct server *, bool as_diff); /* --disable-file-column-diff; for databases added from then on */

/* TLS files: each a path, or db:DB,TABLE,COLUMN to be read from there and followed. */
enum server_tls_file { TLS_PRIVATE_KEY, TLS_CERTIFICATE, TLS_CA_CERT, TLS_N_FILES };
int server_set_tls(struct server *, const char *const files[TLS_N_FILES], bool bootstrap_ca_cert,
                   const char *peer_ca_cert, const char *protocols, const char *ciphers, const char *ciphersuites,
                   struct why *);

/* The commands of ovsdb-server(1), "Runtime management commands".  'exit' calls on_exit(aux). */
void server_control(struct server *, void (*on_exit)(void *aux), void *aux);

#endif
