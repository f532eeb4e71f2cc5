/* table - rows and columns on standard output, in the shapes the field's tools know: table, list, html, csv, json.
 *
 * Use.     t = table_new();  table_heading(t, "name"); ...  table_row(t);  table_text(t, "x");  table_datum(t, d, type); ...
 *          table_print(t, &style, stdout);  table_free(t).  Cells are given in the order of the headings.
 * Cells.   Text is shown as it is.  A datum is shown as the style says.  JSON is shown as JSON, whatever the style.
 * Source.  ovs-vsctl(8) and ovsdb-client(1), "Table Formatting Options".
 */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H 1

#include "base/own.h"
#include "ovsdb/value.h"
#include <getopt.h>
#include <stdio.h>

enum table_format { TABLE_TABLE, TABLE_LIST, TABLE_HTML, TABLE_CSV, TABLE_JSON };
enum cell_format { CELL_STRING, CELL_BARE, CELL_JSON };

struct table_style {
    enum table_format format;
    enum cell_format cells;
    bool no_headings, is_pretty;
    size_t max_column_width; /* 0: no limit; of TABLE_TABLE only */
    unsigned n_printed;      /* tables so far: a blank line stands between two */
};

/* The long options, for a program's own table; values from TABLE_OPT_BASE up, and the letters f and d. */
#define TABLE_OPT_BASE 0x5000
extern const struct option table_long_options[]; /* ends with a zero row */
/* 1: 'c' was one of these; 0: it was not; -EINVAL with 'why'. */
int table_option(struct table_style *, int c, const char *arg, struct why *);
void table_usage(struct text *);

struct table;
struct table *table_new(void);
void table_free(struct table *); /* NULL is fine */
OWN(table);
void table_caption(struct table *, const char *);
void table_timestamp(struct table *, int64_t wall_ms); /* printed with the table */
void table_heading(struct table *, const char *);
void table_row(struct table *);
void table_text(struct table *, const char *);
void table_datum(struct table *, const struct datum *, const struct column_type *); /* copies; 'type' is borrowed */
void table_json(struct table *, const char *json);
void table_blank(struct table *);

size_t table_n_rows(const struct table *);
/* Puts rows in order: by the text of column i, then the next ones. */
void table_sort(struct table *);
void table_print(const struct table *, struct table_style *, FILE *);

#endif
