/* ctl - one run of a tool like ovs-vsctl: a line of commands, executed together as one transaction.
 *
 * Use.      ctl_init(&ctl, program, schema, command lists, tables, shows);  ctl_parse() turns words into commands;  ctl_want() asks
 *           the client for what they read;  ctl_execute() runs them until the database agreed;  ctl_print() shows what they said.
 * Shape.    A command is one entry: how many arguments, which options, what it reads (want), what it does (run) and what it can only say
 *           after the commit (after).  run() may be called several times: the database may have changed under it.
 * Words.    Tables and columns may be abbreviated and written with any case and with - for _ (ovs-vsctl(8), "Database Commands").
 * Failure.  Functions return 0 or -errno with 'why' as everywhere; ctl.status is the exit status when it is not 1.
 */
#ifndef CLI_CTL_H
#define CLI_CTL_H 1

#include "base/text.h"
#include "cli/table.h"
#include "ovsdb/client.h"
#include <getopt.h>

struct ctl;
struct ctl_run;

struct ctl_command {
    const char *name;
    int min_args, max_args;
    const char *arguments; /* for people and for completion */
    int (*want)(struct ctl *, struct ctl_run *, struct why *);
    int (*run)(struct ctl *, struct ctl_run *, struct why *);
    void (*after)(struct ctl *, struct ctl_run *);
    const char *options; /* "--may-exist,--id=" */
    bool writes;
};

/* How a row may be named besides by its uuid: by a column of its own table, or through the reference of a row of another. */
struct ctl_row_id {
    const char *table;
    const char *name_column; /* NULL: the only row, named "." */
    const char *ref_column;  /* NULL: the row found is the one meant */
};
struct ctl_table {
    const char *name;
    struct ctl_row_id ids[2];
};

/* What "show" prints of a table, below the row that refers to it. */
struct ctl_show {
    const char *table;
    const char *name_column; /* NULL: the uuid */
    const char *columns[5];
};

struct ctl_option {
    char *name, *value; /* with its hyphens; value NULL: none */
};

/* One command of the line. */
struct ctl_run {
    const struct ctl_command *command;
    int argc;
    char **argv; /* argv[0] is the command */
    VEC(struct ctl_option) options;
    struct text output;
    struct table *table;  /* NULL: the output counts */
    struct uuid inserted; /* the row made by "create" */
    bool try_again;       /* a condition does not hold yet */
};

struct ctl_limit; /* which rows of a table are needed: ctl_db.c */

struct ctl {
    const char *program;
    const struct schema *schema; /* what words are looked up in; borrowed */
    const struct ctl_command *const *lists;
    const struct ctl_table *tables;
    const struct ctl_show *shows;

    VEC(struct ctl_run) runs;
    struct client *client;
    struct ctxn *txn;             /* while commands run, and for after() */
    struct symtab *symtab;        /* likewise */
    void *aux;                    /* the tool's own */
    void (*forget)(struct ctl *); /* the database or the transaction is another one: drop what was derived */
    VEC(struct ctl_limit *) limits;
    struct text args; /* the command line, quoted: the comment of the transaction */
    int status;       /* of the process; 0: none yet */
};

extern const struct ctl_command ctl_db_commands[]; /* get, set, list, ...; ctl_db.c */

void ctl_init(struct ctl *, const char *program, const struct schema *, const struct ctl_command *const lists[],
              const struct ctl_table[], const struct ctl_show[]);
void ctl_fini(struct ctl *);

/* ---- The command line. ---- */

/* Global options end with a zero row; the result adds every option of a command with value 'local'.  Free it with ctl_free_options(). */
struct option *ctl_long_options(const struct ctl *, const struct option global[], int local);
void ctl_free_options(struct option *, const struct option global[]);
/* Remembers an option of the first command that getopt met among the global ones. */
int ctl_local_option(struct ctl *, const char *name, const char *value, struct why *);
int ctl_parse(struct ctl *, int argc, char *argv[], struct why *);
/* True if any of the words names a command that writes. */
bool ctl_might_write(const struct ctl *, char *const *argv);
void ctl_print_commands(const struct ctl *, FILE *);
void ctl_print_options(const struct option[], FILE *);
void ctl_quote(struct text *, int argc, char *const argv[]);

bool ctl_has_option(const struct ctl_run *, const char *name);
const char *ctl_option(const struct ctl_run *, const char *name); /* its value; NULL: not given */

/* ---- Execution. ---- */

int ctl_want(struct ctl *, struct why *);
/* Runs the commands in ctl.txn, which the caller opened.  -EAGAIN: not yet. */
int ctl_run_all(struct ctl *, struct why *);
void ctl_run_after(struct ctl *);
void ctl_clear_output(struct ctl *);
void ctl_print(struct ctl *, struct table_style *, bool oneline, FILE *);

/* ---- Words of the database, for commands. ---- */

int ctl_find_table(const struct ctl *, const char *word, const struct ctl_table **, struct why *);
int ctl_find_column(const struct ctl *, const struct ctl_table *, const char *word, const struct column **,
                    struct why *);
/* NULL in *row (and 0) if it is not there and need not be. */
int ctl_find_row(struct ctl *, const struct ctl_table *, const char *record, bool must_exist, struct crow **row,
                 struct why *);
/* COLUMN[:KEY]=VALUE */
int ctl_set_column(struct ctl *, const struct ctl_table *, struct crow *, const char *word, struct why *);
int ctl_want_column_word(struct ctl *, const struct ctl_table *, const char *word, struct why *);
/* The columns by which rows of the table are named. */
void ctl_want_table(struct ctl *, const struct ctl_table *);
/* Every row of the table will be needed, or only the one so named, or those that satisfy a condition (of RFC 7047). */
void ctl_want_rows(struct ctl *, const char *table);
void ctl_want_record(struct ctl *, const struct ctl_table *, const char *record);
void ctl_want_matching(struct ctl *, const char *table, const char *column, const char *relation, const char *json);
void ctl_apply_limits(struct ctl *);
void ctl_limits_fini(struct ctl *);

#endif
