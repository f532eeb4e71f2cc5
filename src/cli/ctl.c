/* The command line and the run; what the database commands do is in ctl_db.c.
 *
 * The line is split at "--" words.  Each piece is options, a command, arguments.  Options of the first command may stand among the global
 * ones: getopt hands them over (ctl_local_option). */
#include "cli/ctl.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/vec.h"
#include <ctype.h>
#include <errno.h>
#include <string.h>

LOG_MODULE(db_ctl_base)

void
ctl_init(struct ctl *ctl, const char *program, const struct schema *schema, const struct ctl_command *const lists[],
         const struct ctl_table tables[], const struct ctl_show shows[])
{
    *ctl = (struct ctl){.program = program, .schema = schema, .lists = lists, .tables = tables, .shows = shows};
}

static void
run_fini(struct ctl_run *run)
{
    for (size_t i = 0; i < run->options.n; i++) {
        free(run->options.at[i].name);
        free(run->options.at[i].value);
    }
    vec_fini(&run->options);
    text_fini(&run->output);
    table_free(run->table);
}

void
ctl_fini(struct ctl *ctl)
{
    for (size_t i = 0; i < ctl->runs.n; i++)
        run_fini(&ctl->runs.at[i]);
    vec_fini(&ctl->runs);
    ctl_limits_fini(ctl);
    text_fini(&ctl->args);
}

/* ---- Commands by name. ---- */

static const struct ctl_command *
command_find(const struct ctl *ctl, const char *name)
{
    for (size_t i = 0; ctl->lists[i]; i++) {
        for (const struct ctl_command *c = ctl->lists[i]; c->name; c++) {
            if (!strcmp(c->name, name))
                return c;
        }
    }
    return NULL;
}

bool
ctl_might_write(const struct ctl *ctl, char *const *argv)
{
    for (; *argv; argv++) {
        const struct ctl_command *c = command_find(ctl, *argv);
        if (c && c->writes)
            return true;
    }
    return false;
}

/* ---- Options. ---- */

static struct ctl_option *
option_find(const struct ctl_run *run, const char *name, size_t n)
{
    for (size_t i = 0; i < run->options.n; i++) {
        struct ctl_option *o = &run->options.at[i];
        if (strlen(o->name) == n && !strncmp(o->name, name, n))
            return o;
    }
    return NULL;
}

bool
ctl_has_option(const struct ctl_run *run, const char *name)
{
    return option_find(run, name, strlen(name)) != NULL;
}

const char *
ctl_option(const struct ctl_run *run, const char *name)
{
    const struct ctl_option *o = option_find(run, name, strlen(name));
    return o ? o->value : NULL;
}

static struct option *
option_named(struct option *options, size_t n, const char *name, size_t name_n)
{
    for (size_t i = 0; i < n; i++) {
        if (strlen(options[i].name) == name_n && !strncmp(options[i].name, name, name_n))
            return &options[i];
    }
    return NULL;
}

static size_t
count_options(const struct option options[])
{
    size_t n = 0;
    while (options[n].name)
        n++;
    return n;
}

struct option *
ctl_long_options(const struct ctl *ctl, const struct option global[], int local)
{
    size_t n = count_options(global);
    VEC(struct option) all = VEC_INIT;

    vec_reserve(&all, n + 1);
    memcpy(all.at, global, n * sizeof *global);
    all.n = n;
    for (size_t i = 0; ctl->lists[i]; i++) {
        for (const struct ctl_command *c = ctl->lists[i]; c->name; c++) {
            for (const char *p = c->options; *p; p += *p == ',') {
                size_t len = strcspn(p, "=,"), end = strcspn(p, ",");
                if (!option_named(all.at, all.n, p + 2, len - 2)) {
                    struct option o = {.name = xstrndup(p + 2, len - 2),
                                       .has_arg = p[len] == '=' ? required_argument : no_argument,
                                       .val = local};
                    vec_push(&all, o);
                }
                p += end;
            }
        }
    }
    vec_push(&all, ((struct option){NULL, 0, NULL, 0}));
    return all.at;
}

void
ctl_free_options(struct option *options, const struct option global[])
{
    for (size_t i = count_options(global); options[i].name; i++)
        free((char *) (uintptr_t) options[i].name);
    free(options);
}

static int
run_add_option(struct ctl_run *run, const char *name, size_t n, const char *value, const char *shown, struct why *why)
{
    if (option_find(run, name, n))
        return refuse(why, -EINVAL, "'%s' option specified multiple times", shown);
    struct ctl_option o = {xstrndup(name, n), value ? xstrdup(value) : NULL};
    vec_push(&run->options, o);
    return 0;
}

/* The first run waits, with options and without a command, for ctl_parse().  Here, unlike behind "--", the first of several
 * counts. */
int
ctl_local_option(struct ctl *ctl, const char *name, const char *value, struct why *why)
{
    if (!ctl->runs.n)
        vec_push(&ctl->runs, (struct ctl_run){0});
    AUTO_STR char *full = xasprintf("--%s", name);
    if (option_find(&ctl->runs.at[0], full, strlen(full)))
        return 0;
    return run_add_option(&ctl->runs.at[0], full, strlen(full), value, name, why);
}

/* The option inside "--a,--b=": what follows it there ('=', ',' or 0), or -1. */
static int
option_kind(const char *options, const char *name)
{
    size_t n = strlen(name);
    for (const char *p = options; *p; p += *p == ',') {
        if (!strncmp(p, name, n) && strchr("=,", p[n]))
            return p[n];
        p += strcspn(p, ",");
    }
    return -1;
}

static int
check_options(const struct ctl_run *run, const char *name, struct why *why)
{
    for (size_t i = 0; i < run->options.n; i++) {
        const struct ctl_option *o = &run->options.at[i];
        int kind = option_kind(run->command->options, o->name);
        if (kind < 0)
            return refuse(why, -EINVAL, "'%s' command has no '%s' option", name, o->name);
        if (kind == '=' && !o->value)
            return refuse(why, -EINVAL, "missing argument to '%s' option on '%s' command", o->name, name);
        if (kind != '=' && o->value)
            return refuse(why, -EINVAL, "'%s' option on '%s' does not accept an argument", o->name, name);
    }
    return 0;
}

static int
check_count(const struct ctl_run *run, struct why *why)
{
    const struct ctl_command *c = run->command;
    int n = run->argc - 1;

    if (n < c->min_args)
        return refuse(why, -EINVAL, "'%s' command requires at least %d arguments", c->name, c->min_args);
    if (n <= c->max_args)
        return 0;
    for (int i = 1; i < run->argc; i++) {
        if (run->argv[i][0] == '-')
            return refuse(why, -EINVAL,
                          "'%s' command takes at most %d arguments (note that options must precede command names and "
                          "follow a \"--\" argument)",
                          c->name, c->max_args);
    }
    return refuse(why, -EINVAL, "'%s' command takes at most %d arguments", c->name, c->max_args);
}

static int
no_command(struct why *why)
{
    return refuse(why, -EINVAL, "missing command name (use --help for help)");
}

static int
parse_one(struct ctl *ctl, struct ctl_run *run, int argc, char *argv[], struct why *why)
{
    int i;
    for (i = 0; i < argc && argv[i][0] == '-'; i++) {
        size_t n = strcspn(argv[i], "=");
        const char *value = argv[i][n] ? argv[i] + n + 1 : NULL;
        int err = run_add_option(run, argv[i], n, value, argv[i], why);
        if (err)
            return err;
    }
    if (i == argc)
        return no_command(why);
    run->command = command_find(ctl, argv[i]);
    if (!run->command)
        return refuse(why, -EINVAL, "unknown command '%s'; use --help for help", argv[i]);
    run->argc = argc - i;
    run->argv = argv + i;
    int err = check_options(run, argv[i], why);
    return err ? err : check_count(run, why);
}

int
ctl_parse(struct ctl *ctl, int argc, char *argv[], struct why *why)
{
    bool has_local = ctl->runs.n;
    int start = 0;

    for (int i = 0; i <= argc; i++) {
        if (i < argc && strcmp(argv[i], "--") != 0)
            continue;
        if (i > start) {
            if (!has_local)
                vec_push(&ctl->runs, (struct ctl_run){0});
            has_local = false;
            int err = parse_one(ctl, &vec_last(&ctl->runs), i - start, argv + start, why);
            if (err)
                return err;
        } else if (has_local) {
            return no_command(why);
        }
        start = i + 1;
    }
    return ctl->runs.n ? 0 : no_command(why);
}

/* ---- For completion. ---- */

/* "[VALUE]..." becomes "VALUE*", "SYSIFACE..." "SYSIFACE+", "[KEY]" "KEY?", "BRIDGE" "BRIDGE!"; what is optional inside a word, as
 * in "COLUMN[:KEY]=VALUE", is written "COLUMN?:KEY=VALUE". */
static void
print_word(const char *word, size_t n, FILE *f)
{
    bool repeats = n > 3 && !strncmp(word + n - 3, "...", 3);
    if (repeats)
        n -= 3;
    bool optional = n > 1 && word[0] == '[' && word[n - 1] == ']';
    if (optional) {
        word++;
        n -= 2;
    }
    putc(optional ? (repeats ? '*' : '?') : (repeats ? '+' : '!'), f);
    for (size_t i = 0; i < n; i++) {
        if (word[i] == '[')
            putc('?', f);
        else if (word[i] != ']')
            putc(word[i], f);
    }
}

static void
print_command(const struct ctl_command *c, FILE *f)
{
    for (const char *p = c->options; *p; p += *p == ',') {
        size_t n = strcspn(p, ",");
        fprintf(f, "[%.*s] ", (int) n, p);
        p += n;
    }
    fprintf(f, ",%s,", c->name);
    for (const char *p = c->arguments; *p; p += *p == ' ') {
        size_t n = strcspn(p, " ");
        if (p != c->arguments)
            putc(' ', f);
        print_word(p, n, f);
        p += n;
    }
    putc('\n', f);
}

void
ctl_print_commands(const struct ctl *ctl, FILE *f)
{
    for (size_t i = 0; ctl->lists[i]; i++) {
        for (const struct ctl_command *c = ctl->lists[i]; c->name; c++)
            print_command(c, f);
    }
}

/* The letter of a long option; those of io/daemon.h are known by name only. */
static int
option_letter(const struct option *o)
{
    static const struct option shared[] = {{"verbose", 0, NULL, 'v'},
                                           {"private-key", 0, NULL, 'p'},
                                           {"certificate", 0, NULL, 'c'},
                                           {"ca-cert", 0, NULL, 'C'}};

    if (!o->flag && o->val > 0 && o->val <= UCHAR_MAX)
        return o->val;
    for (size_t i = 0; i < ARRAY_SIZE(shared); i++) {
        if (!strcmp(shared[i].name, o->name))
            return shared[i].val;
    }
    return 0;
}

void
ctl_print_options(const struct option options[], FILE *f)
{
    for (const struct option *o = options; o->name; o++) {
        int letter = option_letter(o);
        fprintf(f, "--%s%s\n", o->name, o->has_arg ? "=ARG" : "");
        if (letter)
            fprintf(f, "-%c%s\n", letter, o->has_arg ? " ARG" : "");
    }
}

void
ctl_quote(struct text *out, int argc, char *const argv[])
{
    for (int i = 0; i < argc; i++) {
        if (i)
            text_addc(out, ' ');
        if (!argv[i][strcspn(argv[i], " \t\r\n\v\\\'\"")]) {
            text_add(out, argv[i]);
            continue;
        }
        text_addc(out, '"');
        for (const char *p = argv[i]; *p; p++) {
            if (*p == '\\' || *p == '"')
                text_addc(out, '\\');
            text_addc(out, *p);
        }
        text_addc(out, '"');
    }
}

/* ---- Running. ---- */

int
ctl_want(struct ctl *ctl, struct why *why)
{
    for (size_t i = 0; i < ctl->runs.n; i++) {
        struct ctl_run *run = &ctl->runs.at[i];
        int err = run->command->want ? run->command->want(ctl, run, why) : 0;
        if (err)
            return err;
    }
    ctl_apply_limits(ctl);
    return 0;
}

/* "@x" must be made by someone, and whoever made it should have used it. */
static int
check_symbols(const struct ctl *ctl, struct why *why)
{
    struct symbol *s;
    HMAP_FOR (s, node, &ctl->symtab->symbols) {
        if (!s->created)
            return refuse(why, -EINVAL,
                          "row id \"%s\" is referenced but never created (e.g. with \"-- --id=%s create ...\")",
                          s->name, s->name);
        if (!s->strong_ref && !s->weak_ref)
            log_warn("row id \"%s\" was created but no reference to it was inserted, so it will not actually appear in "
                     "the database",
                     s->name);
        else if (!s->strong_ref)
            log_warn("row id \"%s\" was created but only a weak reference to it was inserted, so it will not actually "
                     "appear in the database",
                     s->name);
    }
    return 0;
}

int
ctl_run_all(struct ctl *ctl, struct why *why)
{
    for (size_t i = 0; i < ctl->runs.n; i++) {
        struct ctl_run *run = &ctl->runs.at[i];
        run->try_again = false;
        int err = run->command->run ? run->command->run(ctl, run, why) : 0;
        if (err)
            return err;
        if (run->try_again)
            return refuse(why, -EAGAIN, "the condition of %s does not hold", run->command->name);
    }
    return check_symbols(ctl, why);
}

void
ctl_run_after(struct ctl *ctl)
{
    for (size_t i = 0; i < ctl->runs.n; i++) {
        struct ctl_run *run = &ctl->runs.at[i];
        if (run->command->after)
            run->command->after(ctl, run);
    }
}

void
ctl_clear_output(struct ctl *ctl)
{
    for (size_t i = 0; i < ctl->runs.n; i++) {
        text_cut(&ctl->runs.at[i].output, 0);
        table_free(ctl->runs.at[i].table);
        ctl->runs.at[i].table = NULL;
    }
}

static void
print_oneline(struct text *output, FILE *f)
{
    text_chomp(output, '\n');
    for (const char *p = text_str(output); *p; p++) {
        if (*p == '\n')
            fputs("\\n", f);
        else if (*p == '\\')
            fputs("\\\\", f);
        else
            putc(*p, f);
    }
    putc('\n', f);
}

void
ctl_print(struct ctl *ctl, struct table_style *style, bool oneline, FILE *f)
{
    for (size_t i = 0; i < ctl->runs.n; i++) {
        struct ctl_run *run = &ctl->runs.at[i];
        if (run->table)
            table_print(run->table, style, f);
        else if (oneline)
            print_oneline(&run->output, f);
        else
            fputs(text_str(&run->output), f);
    }
}
