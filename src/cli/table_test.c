#include "base/test.h"
#include "cli/table.h"
#include <stdlib.h>

static char *
printed(const struct table *t, struct table_style *style)
{
    char *out = NULL;
    size_t n;
    FILE *f = open_memstream(&out, &n);
    table_print(t, style, f);
    fclose(f);
    return out;
}

static struct table *
sample(void)
{
    struct table *t = table_new();
    const struct datum *d = datum_of_string("x \"y\"");
    const struct datum *none = datum_empty(ATOM_STRING, ATOM_VOID);

    table_heading(t, "name");
    table_heading(t, "value");
    table_row(t);
    table_text(t, "long name, with comma");
    table_datum(t, d, &type_string);
    table_row(t);
    table_text(t, "b");
    table_datum(t, none, &type_string_set);
    datum_unref(d);
    return t;
}

static void
check(const struct table *t, struct table_style style, const char *want)
{
    char *got = printed(t, &style);
    CHECK_STR(got, want);
    free(got);
}

TEST(table_shapes)
{
    AUTO(table) struct table *t = sample();
    check(t, (struct table_style){.format = TABLE_TABLE},
          "name                  value\n"
          "--------------------- ---------\n"
          "long name, with comma \"x \\\"y\\\"\"\n"
          "b                     []\n");
    check(t, (struct table_style){.format = TABLE_TABLE, .no_headings = true, .cells = CELL_BARE},
          "long name, with comma x \"y\"\n"
          "b\n");
    check(t, (struct table_style){.format = TABLE_TABLE, .max_column_width = 6},
          "name   value\n"
          "------ ------\n"
          "long n \"x \\\"y\n"
          "b      []\n");
    check(t, (struct table_style){.format = TABLE_LIST},
          "name                : long name, with comma\n"
          "value               : \"x \\\"y\\\"\"\n\n"
          "name                : b\n"
          "value               : []\n");
    check(t, (struct table_style){.format = TABLE_CSV},
          "name,value\n"
          "\"long name, with comma\",\"\"\"x \\\"\"y\\\"\"\"\"\"\n"
          "b,[]\n");
    check(t, (struct table_style){.format = TABLE_JSON},
          "{\"data\":[[\"long name, with comma\",\"x "
          "\\\"y\\\"\"],[\"b\",[\"set\",[]]]],\"headings\":[\"name\",\"value\"]}\n");
    check(t, (struct table_style){.format = TABLE_LIST, .cells = CELL_JSON, .no_headings = true},
          "long name, with comma\n\"x \\\"y\\\"\"\n\nb\n[\"set\",[]]\n");
}

TEST(table_html_escapes_and_links)
{
    AUTO(table) struct table *t = table_new();
    table_heading(t, "_uuid");
    table_heading(t, "ref<>");
    table_row(t);
    table_text(t, "80d9dbcf-0251-4e03-bbe4-8b1da8afd78a");
    table_text(t, "&[19548cb5-978b-45b6-9587-8e5d9d255fc2]");
    check(t, (struct table_style){.format = TABLE_HTML},
          "<table border=1>\n  <tr>\n    <th>_uuid</th>\n    <th>ref&lt;&gt;</th>\n  </tr>\n  <tr>\n"
          "    <td><a name=\"80d9dbcf-0251-4e03-bbe4-8b1da8afd78a\">80d9dbcf</a></td>\n"
          "    <td>&amp;[<a href=\"#19548cb5-978b-45b6-9587-8e5d9d255fc2\">19548cb5</a>]</td>\n  </tr>\n</table>\n");
}

TEST(table_blank_line_between_two)
{
    AUTO(table) struct table *t = table_new();
    struct table_style style = {.format = TABLE_CSV};
    table_caption(t, "cap");
    table_heading(t, "h");
    char *first = printed(t, &style), *second = printed(t, &style);
    CHECK_STR(first, "cap\nh\n");
    CHECK_STR(second, "\ncap\nh\n");
    free(first);
    free(second);
}

TEST(table_time_and_caption_in_json)
{
    AUTO(table) struct table *t = table_new();
    table_caption(t, "c");
    table_timestamp(t, 1795242925948);
    table_heading(t, "h");
    table_row(t);
    table_blank(t);
    check(t, (struct table_style){.format = TABLE_JSON},
          "{\"caption\":\"c\",\"data\":[[null]],\"headings\":[\"h\"],\"time\":\"2026-11-21 06:35:25.948\"}\n");
}

TEST(table_sorts_rows)
{
    AUTO(table) struct table *t = sample();
    table_sort(t);
    check(t, (struct table_style){.format = TABLE_CSV, .no_headings = true},
          "b,[]\n\"long name, with comma\",\"\"\"x \\\"\"y\\\"\"\"\"\"\n");
}

TEST(table_options_are_checked)
{
    struct table_style style = {.format = TABLE_LIST};
    struct why why;
    CHECK_EQ(table_option(&style, 'f', "csv", &why), 1);
    CHECK_EQ(style.format, TABLE_CSV);
    CHECK(table_option(&style, 'f', "xml", &why) < 0);
    CHECK_STR(why.text, "unknown output format \"xml\"");
    CHECK_EQ(style.format, TABLE_CSV);
    CHECK(table_option(&style, 'd', "foo", &why) < 0);
    CHECK_EQ(table_option(&style, 'z', NULL, &why), 0);
}

TESTS(table_shapes, table_html_escapes_and_links, table_blank_line_between_two, table_time_and_caption_in_json,
      table_sorts_rows, table_options_are_checked)
