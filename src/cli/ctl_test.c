#include "base/mem.h"
#include "base/test.h"
#include "cli/vsctl.h"
#include "ovsdb/vswitch_schema.h"
#include <errno.h>
#include <stdlib.h>

struct line {
    struct schema *schema;
    struct vsctl v;
    struct ctl ctl;
    struct why why;
    char *text, *words[32];
    int n;
};

/* Words are separated by single spaces. */
static int
parse(struct line *l, const char *text)
{
    l->schema = vswitch_schema_new();
    vsctl_init(&l->ctl, &l->v, l->schema);
    l->text = xstrdup(text);
    l->n = 0;
    for (char *p = l->text, *word; (word = strsep(&p, " ")) && *word;)
        l->words[l->n++] = word;
    return ctl_parse(&l->ctl, l->n, l->words, &l->why);
}

static void
done(struct line *l)
{
    vsctl_fini(&l->ctl);
    schema_free(l->schema);
    free(l->text);
}

TEST(line_is_split_at_hyphens)
{
    struct line l;
    CHECK_EQ(parse(&l, "-- --may-exist add-br br0 -- list-br -- --id=@x create QoS type=y"), 0);
    CHECK_EQ(l.ctl.runs.n, 3);
    CHECK_STR(l.ctl.runs.at[0].command->name, "add-br");
    CHECK(ctl_has_option(&l.ctl.runs.at[0], "--may-exist"));
    CHECK_EQ(l.ctl.runs.at[0].argc, 2);
    CHECK(!ctl_has_option(&l.ctl.runs.at[1], "--may-exist"));
    CHECK_STR(ctl_option(&l.ctl.runs.at[2], "--id"), "@x");
    done(&l);
}

TEST(line_refusals)
{
    static const struct {
        const char *line, *why;
    } cases[] = {
        {"", "missing command name (use --help for help)"},
        {"-- --", "missing command name (use --help for help)"},
        {"--real", "missing command name (use --help for help)"},
        {"foo", "unknown command 'foo'; use --help for help"},
        {"add-br", "'add-br' command requires at least 1 arguments"},
        {"list-br x", "'list-br' command takes at most 0 arguments"},
        {"list-br --real",
         "'list-br' command takes at most 0 arguments (note that options must precede command names and "
         "follow a \"--\" argument)"},
        {"--foo list-br", "'list-br' command has no '--foo' option"},
        {"--rea list-br", "'list-br' command has no '--rea' option"},
        {"--real=x list-br", "'--real' option on 'list-br' does not accept an argument"},
        {"--id create QoS type=y", "missing argument to '--id' option on 'create' command"},
        {"--real --real list-br", "'--real' option specified multiple times"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct line l;
        CHECK_EQ(parse(&l, cases[i].line), -EINVAL);
        CHECK_STR(l.why.text, cases[i].why);
        done(&l);
    }
}

static const char *
table_named(struct line *l, const char *word)
{
    const struct ctl_table *t;
    return ctl_find_table(&l->ctl, word, &t, &l->why) ? l->why.text : t->name;
}

TEST(names_may_be_abbreviated)
{
    const struct ctl_table *bridge, *iface;
    const struct column *col;
    struct line l;

    CHECK_EQ(parse(&l, "list-br"), 0);
    CHECK_STR(table_named(&l, "Bridge"), "Bridge");
    CHECK_STR(table_named(&l, "br"), "Bridge");
    CHECK_STR(table_named(&l, "OPEN-V"), "Open_vSwitch");
    CHECK_STR(table_named(&l, "int"), "Interface");
    CHECK_STR(table_named(&l, "q"), "\"q\" matches multiple table names: QoS, Queue");
    CHECK_STR(table_named(&l, "s"), "\"s\" matches multiple table names: SSL, sFlow");
    CHECK_STR(table_named(&l, "sf"), "sFlow");
    CHECK_STR(table_named(&l, "foo"), "unknown table \"foo\"");
    CHECK_STR(table_named(&l, "bridges"), "unknown table \"bridges\"");
    CHECK_EQ(ctl_find_table(&l.ctl, "Bridge", &bridge, &l.why), 0);
    CHECK_EQ(ctl_find_table(&l.ctl, "Interface", &iface, &l.why), 0);
    CHECK_EQ(ctl_find_column(&l.ctl, bridge, "fail-m", &col, &l.why), 0);
    CHECK_STR(col->name, "fail_mode");
    CHECK_EQ(ctl_find_column(&l.ctl, iface, "ofport", &col, &l.why), 0); /* whole, though ofport_request begins so */
    CHECK_STR(col->name, "ofport");
    CHECK(ctl_find_column(&l.ctl, iface, "ofp", &col, &l.why));
    CHECK_STR(l.why.text, "Interface contains more than one column whose name matches \"ofp\": ofport, ofport_request");
    CHECK(ctl_find_column(&l.ctl, iface, "_uuid", &col, &l.why));
    CHECK_STR(l.why.text, "Interface does not contain a column whose name matches \"_uuid\"");
    done(&l);
}

TEST(arguments_are_quoted_for_the_log)
{
    AUTO_TEXT struct text t = TEXT_INIT;
    char *const words[] = {"ovs-vsctl", "a b", "c\"d", "e\\f", "g"};
    ctl_quote(&t, ARRAY_SIZE(words), words);
    CHECK_STR(text_str(&t), "ovs-vsctl \"a b\" \"c\\\"d\" \"e\\\\f\" g");
}

TEST(writers_are_known)
{
    struct line l;
    char *const reads[] = {"ovs-vsctl", "list-br", NULL}, *const writes[] = {"ovs-vsctl", "--no-wait", "add-br", "x",
                                                                             NULL};
    CHECK_EQ(parse(&l, "list-br"), 0);
    CHECK(!ctl_might_write(&l.ctl, reads));
    CHECK(ctl_might_write(&l.ctl, writes));
    done(&l);
}

TESTS(line_is_split_at_hyphens, line_refusals, names_may_be_abbreviated, arguments_are_quoted_for_the_log,
      writers_are_known)
