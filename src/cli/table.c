#include "cli/table.h"

#include "base/mem.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum cell_kind { BLANK, TEXT, DATUM, JSON };

struct cell {
    enum cell_kind kind;
    char *text; /* TEXT, JSON */
    const struct datum *datum;
    const struct column_type *type;
};

struct table {
    char *caption;
    bool has_time;
    int64_t wall_ms;
    VEC(char *) headings;
    VEC(struct cell) cells; /* row after row */
};

struct table *
table_new(void)
{
    return xzalloc(sizeof(struct table));
}

static void
cell_fini(struct cell *c)
{
    free(c->text);
    datum_unref(c->datum);
}

void
table_free(struct table *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->headings.n; i++)
        free(t->headings.at[i]);
    for (size_t i = 0; i < t->cells.n; i++)
        cell_fini(&t->cells.at[i]);
    vec_fini(&t->headings);
    vec_fini(&t->cells);
    free(t->caption);
    free(t);
}

void
table_caption(struct table *t, const char *s)
{
    free(t->caption);
    t->caption = xstrdup(s);
}

void
table_timestamp(struct table *t, int64_t wall_ms)
{
    t->has_time = true;
    t->wall_ms = wall_ms;
}

void
table_heading(struct table *t, const char *s)
{
    vec_push(&t->headings, xstrdup(s));
}

void
table_row(struct table *t)
{
    while (t->cells.n % t->headings.n)
        table_blank(t);
}

static void
add_cell(struct table *t, struct cell c)
{
    vec_push(&t->cells, c);
}

void
table_text(struct table *t, const char *s)
{
    add_cell(t, (struct cell){.kind = TEXT, .text = xstrdup(s)});
}

void
table_datum(struct table *t, const struct datum *d, const struct column_type *type)
{
    add_cell(t, (struct cell){.kind = DATUM, .datum = datum_ref(d), .type = type});
}

void
table_json(struct table *t, const char *json)
{
    add_cell(t, (struct cell){.kind = JSON, .text = xstrdup(json)});
}

void
table_blank(struct table *t)
{
    add_cell(t, (struct cell){.kind = BLANK});
}

size_t
table_n_rows(const struct table *t)
{
    return t->headings.n ? DIV_ROUND_UP(t->cells.n, t->headings.n) : 0;
}

/* ---- Cells. ---- */

static const struct cell *
cell_at(const struct table *t, size_t row, size_t column)
{
    static const struct cell blank = {.kind = BLANK};
    size_t i = row * t->headings.n + column;
    return i < t->cells.n ? &t->cells.at[i] : &blank;
}

static void
add_cell_text(struct text *out, const struct cell *c, enum cell_format format)
{
    switch (c->kind) {
    case BLANK:
        break;
    case TEXT:
    case JSON:
        text_add(out, c->text);
        break;
    case DATUM:
        if (format == CELL_JSON)
            datum_add_json(out, c->datum, c->type);
        else if (format == CELL_BARE)
            datum_format_bare(out, c->datum);
        else
            datum_format(out, c->datum, c->type);
        break;
    }
}

static char *
cell_text(const struct table *t, size_t row, size_t column, enum cell_format format)
{
    struct text s = TEXT_INIT;
    add_cell_text(&s, cell_at(t, row, column), format);
    return text_steal(&s);
}

/* ---- Order. ---- */

struct sort_row {
    const struct table *t;
    size_t i;
};

static int
compare_rows(const void *a_, const void *b_)
{
    const struct sort_row *a = a_, *b = b_;
    for (size_t x = 0; x < a->t->headings.n; x++) {
        AUTO_STR char *as = cell_text(a->t, a->i, x, CELL_STRING);
        AUTO_STR char *bs = cell_text(b->t, b->i, x, CELL_STRING);
        int order = strcmp(as, bs);
        if (order)
            return order;
    }
    return 0;
}

void
table_sort(struct table *t)
{
    size_t n = table_n_rows(t), width = t->headings.n;
    table_row(t); /* whole rows only */
    struct sort_row *rows = xcalloc(n ? n : 1, sizeof *rows);
    struct cell *sorted = xcalloc(t->cells.n ? t->cells.n : 1, sizeof *sorted);

    for (size_t i = 0; i < n; i++)
        rows[i] = (struct sort_row){t, i};
    qsort(rows, n, sizeof *rows, compare_rows);
    for (size_t i = 0; i < n; i++)
        memcpy(&sorted[i * width], &t->cells.at[rows[i].i * width], width * sizeof *sorted);
    free(t->cells.at);
    t->cells.at = sorted;
    t->cells.room = t->cells.n;
    free(rows);
}

/* ---- Shapes. ---- */

static char *
time_text(const struct table *t)
{
    time_t seconds = t->wall_ms / 1000;
    struct tm tm;
    char day[32];

    gmtime_r(&seconds, &tm);
    strftime(day, sizeof day, "%Y-%m-%d %H:%M:%S", &tm);
    return xasprintf("%s.%03d", day, (int) (t->wall_ms % 1000));
}

static void
print_time(const struct table *t, FILE *f)
{
    if (t->has_time) {
        AUTO_STR char *s = time_text(t);
        fprintf(f, "%s\n", s);
    }
}

static void
print_head(const struct table *t, struct table_style *style, FILE *f)
{
    if (style->n_printed++)
        putc('\n', f);
    print_time(t, f);
    if (t->caption)
        fprintf(f, "%s\n", t->caption);
}

static size_t
column_width(const struct table *t, const struct table_style *style, char **texts, size_t x)
{
    size_t heading = style->no_headings ? 0 : strlen(t->headings.at[x]), width = heading;
    for (size_t y = 0; y < table_n_rows(t); y++)
        width = MAX(width, strlen(texts[y * t->headings.n + x]));
    if (style->max_column_width && width > style->max_column_width)
        width = MAX(style->max_column_width, heading);
    return width;
}

static void
add_field(struct text *line, const char *s, size_t width, size_t x)
{
    if (x)
        text_addc(line, ' ');
    text_addf(line, "%-*.*s", (int) width, (int) width, s);
}

static void
put_line(struct text *line, FILE *f)
{
    while (line->len && line->s[line->len - 1] == ' ')
        text_cut(line, line->len - 1);
    fprintf(f, "%s\n", text_str(line));
    text_cut(line, 0);
}

static void
print_rule(const size_t *widths, size_t n, FILE *f)
{
    AUTO_TEXT struct text line = TEXT_INIT;
    for (size_t x = 0; x < n; x++) {
        if (x)
            text_addc(&line, ' ');
        text_pad(&line, '-', line.len + widths[x]);
    }
    put_line(&line, f);
}

static void
print_table(const struct table *t, struct table_style *style, FILE *f)
{
    size_t n = t->headings.n, n_rows = table_n_rows(t);
    char **texts = xcalloc(n * n_rows + 1, sizeof *texts);
    size_t *widths = xcalloc(n + 1, sizeof *widths);
    AUTO_TEXT struct text line = TEXT_INIT;

    for (size_t i = 0; i < n * n_rows; i++) {
        char *s = cell_text(t, i / n, i % n, style->cells);
        texts[i] = s ? s : xstrdup("");
    }
    for (size_t x = 0; x < n; x++)
        widths[x] = column_width(t, style, texts, x);

    print_head(t, style, f);
    if (!style->no_headings) {
        for (size_t x = 0; x < n; x++)
            add_field(&line, t->headings.at[x], widths[x], x);
        put_line(&line, f);
        print_rule(widths, n, f);
    }
    for (size_t y = 0; y < n_rows; y++) {
        for (size_t x = 0; x < n; x++)
            add_field(&line, texts[y * n + x], widths[x], x);
        put_line(&line, f);
    }
    for (size_t i = 0; i < n * n_rows; i++)
        free(texts[i]);
    free(texts);
    free(widths);
}

static void
print_list(const struct table *t, struct table_style *style, FILE *f)
{
    print_head(t, style, f);
    for (size_t y = 0; y < table_n_rows(t); y++) {
        if (y)
            putc('\n', f);
        for (size_t x = 0; x < t->headings.n; x++) {
            AUTO_STR char *s = cell_text(t, y, x, style->cells);
            if (!style->no_headings)
                fprintf(f, "%-20s: ", t->headings.at[x]);
            fprintf(f, "%s\n", s ? s : "");
        }
    }
}

static void
print_html_text(const char *s, size_t n, FILE *f)
{
    for (size_t i = 0; i < n && s[i]; i++) {
        switch (s[i]) {
        case '&':
            fputs("&amp;", f);
            break;
        case '<':
            fputs("&lt;", f);
            break;
        case '>':
            fputs("&gt;", f);
            break;
        case '"':
            fputs("&quot;", f);
            break;
        default:
            putc(s[i], f);
        }
    }
}

/* The name of a row anywhere in a cell becomes a link to that row. */
static void
print_html_cell(const char *element, const char *s, FILE *f)
{
    fprintf(f, "    <%s>", element);
    while (*s) {
        struct uuid uuid;
        size_t left = strlen(s);
        if (left >= UUID_LEN && uuid_parse_n(s, UUID_LEN, &uuid)) {
            fprintf(f, "<a href=\"#%.*s\">%.8s</a>", UUID_LEN, s, s);
            s += UUID_LEN;
        } else {
            print_html_text(s++, 1, f);
        }
    }
    fprintf(f, "</%s>\n", element);
}

static void
print_html(const struct table *t, struct table_style *style, FILE *f)
{
    print_time(t, f);
    fputs("<table border=1>\n", f);
    if (t->caption)
        print_html_cell("caption", t->caption, f);
    if (!style->no_headings) {
        fputs("  <tr>\n", f);
        for (size_t x = 0; x < t->headings.n; x++)
            print_html_cell("th", t->headings.at[x], f);
        fputs("  </tr>\n", f);
    }
    for (size_t y = 0; y < table_n_rows(t); y++) {
        fputs("  <tr>\n", f);
        for (size_t x = 0; x < t->headings.n; x++) {
            AUTO_STR char *s = cell_text(t, y, x, style->cells);
            if (!strcmp(t->headings.at[x], "_uuid")) {
                fputs("    <td><a name=\"", f);
                print_html_text(s, strlen(s), f);
                fputs("\">", f);
                print_html_text(s, 8, f);
                fputs("</a></td>\n", f);
            } else {
                print_html_cell("td", s ? s : "", f);
            }
        }
        fputs("  </tr>\n", f);
    }
    fputs("</table>\n", f);
}

static void
print_csv_cell(const char *s, FILE *f)
{
    if (!strpbrk(s, "\n\",")) {
        fputs(s, f);
        return;
    }
    putc('"', f);
    for (; *s; s++) {
        if (*s == '"')
            putc('"', f);
        putc(*s, f);
    }
    putc('"', f);
}

static void
print_csv(const struct table *t, struct table_style *style, FILE *f)
{
    print_head(t, style, f);
    for (size_t x = 0; !style->no_headings && x < t->headings.n; x++) {
        fputs(x ? "," : "", f);
        print_csv_cell(t->headings.at[x], f);
    }
    if (!style->no_headings)
        putc('\n', f);
    for (size_t y = 0; y < table_n_rows(t); y++) {
        for (size_t x = 0; x < t->headings.n; x++) {
            AUTO_STR char *s = cell_text(t, y, x, style->cells);
            fputs(x ? "," : "", f);
            print_csv_cell(s ? s : "", f);
        }
        putc('\n', f);
    }
}

static void
add_string(struct text *out, const char *s)
{
    json_add_string(out, s, strlen(s));
}

static void
add_cell_json(struct text *out, const struct cell *c)
{
    switch (c->kind) {
    case BLANK:
        text_add(out, "null");
        break;
    case TEXT:
        add_string(out, c->text);
        break;
    case JSON:
    case DATUM:
        add_cell_text(out, c, CELL_JSON);
        break;
    }
}

static void
add_table_json(struct text *out, const struct table *t)
{
    text_addc(out, '{');
    if (t->caption) {
        text_add(out, "\"caption\":");
        add_string(out, t->caption);
        text_addc(out, ',');
    }
    text_add(out, "\"data\":[");
    for (size_t y = 0; y < table_n_rows(t); y++) {
        text_add(out, y ? ",[" : "[");
        for (size_t x = 0; x < t->headings.n; x++) {
            text_add(out, x ? "," : "");
            add_cell_json(out, cell_at(t, y, x));
        }
        text_addc(out, ']');
    }
    text_add(out, "],\"headings\":[");
    for (size_t x = 0; x < t->headings.n; x++) {
        text_add(out, x ? "," : "");
        add_string(out, t->headings.at[x]);
    }
    text_addc(out, ']');
    if (t->has_time) {
        AUTO_STR char *s = time_text(t);
        text_add(out, ",\"time\":");
        add_string(out, s);
    }
    text_addc(out, '}');
}

static void
print_json(const struct table *t, struct table_style *style, FILE *f)
{
    AUTO_TEXT struct text out = TEXT_INIT;
    AUTO_ARENA struct arena arena = ARENA_INIT;
    struct jv v;

    add_table_json(&out, t);
    if (style->is_pretty && !jv_parse_copy(&arena, out.s, out.len, &v, NULL)) {
        text_cut(&out, 0);
        jv_add_pretty(&out, &v);
    }
    fprintf(f, "%s\n", text_str(&out));
}

void
table_print(const struct table *t, struct table_style *style, FILE *f)
{
    static void (*const print[])(const struct table *, struct table_style *, FILE *) = {
        [TABLE_TABLE] = print_table, [TABLE_LIST] = print_list, [TABLE_HTML] = print_html,
        [TABLE_CSV] = print_csv,     [TABLE_JSON] = print_json,
    };
    print[style->format](t, style, f);
}

/* ---- Options. ---- */

enum { OPT_NO_HEADINGS = TABLE_OPT_BASE, OPT_PRETTY, OPT_BARE, OPT_MAX_COLUMN_WIDTH };

const struct option table_long_options[] = {
    {"format", required_argument, NULL, 'f'},
    {"data", required_argument, NULL, 'd'},
    {"no-headings", no_argument, NULL, OPT_NO_HEADINGS},
    {"pretty", no_argument, NULL, OPT_PRETTY},
    {"bare", no_argument, NULL, OPT_BARE},
    {"max-column-width", required_argument, NULL, OPT_MAX_COLUMN_WIDTH},
    {NULL, 0, NULL, 0},
};

static int
word_index(const char *const words[], const char *word)
{
    for (int i = 0; words[i]; i++) {
        if (!strcmp(words[i], word))
            return i;
    }
    return -1;
}

int
table_option(struct table_style *style, int c, const char *arg, struct why *why)
{
    static const char *const formats[] = {"table", "list", "html", "csv", "json", NULL};
    static const char *const cells[] = {"string", "bare", "json", NULL};
    int i;

    switch (c) {
    case 'f':
        if ((i = word_index(formats, arg)) < 0)
            return refuse(why, -EINVAL, "unknown output format \"%s\"", arg);
        style->format = i;
        return 1;
    case 'd':
        if ((i = word_index(cells, arg)) < 0)
            return refuse(why, -EINVAL, "unknown data format \"%s\"", arg);
        style->cells = i;
        return 1;
    case OPT_NO_HEADINGS:
        style->no_headings = true;
        return 1;
    case OPT_PRETTY:
        style->is_pretty = true;
        return 1;
    case OPT_BARE:
        style->format = TABLE_LIST;
        style->cells = CELL_BARE;
        style->no_headings = true;
        return 1;
    case OPT_MAX_COLUMN_WIDTH:
        i = atoi(arg);
        if (i <= 0)
            return refuse(why, -EINVAL, "invalid --max-column-width '%s'", arg);
        style->max_column_width = i;
        return 1;
    default:
        return 0;
    }
}

void
table_usage(struct text *out)
{
    text_add(out, "\nOutput formatting options:\n"
                  "  -f, --format=FORMAT         set output formatting to FORMAT\n"
                  "                              (\"table\", \"html\", \"csv\", or \"json\")\n"
                  "  -d, --data=FORMAT           set table cell output formatting to\n"
                  "                              FORMAT (\"string\", \"bare\", or \"json\")\n"
                  "  --no-headings               omit table heading row\n"
                  "  --pretty                    pretty-print JSON in output\n"
                  "  --bare                      equivalent to \"--format=list --data=bare --no-headings\"\n");
}
