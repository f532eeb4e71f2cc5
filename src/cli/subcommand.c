#include "cli/subcommand.h"

#include <errno.h>
#include <string.h>

int
subcommand_find(const struct subcommand list[], int argc, char *argv[], const struct subcommand **out, struct why *why)
{
    if (argc < 1)
        return refuse(why, -EINVAL, "missing command name; use --help for help");
    for (const struct subcommand *s = list; s->name; s++) {
        if (strcmp(s->name, argv[0]))
            continue;
        if (argc - 1 < s->min_args)
            return refuse(why, -EINVAL, "'%s' command requires at least %d arguments", s->name, s->min_args);
        if (argc - 1 > s->max_args)
            return refuse(why, -EINVAL, "'%s' command takes at most %d arguments", s->name, s->max_args);
        *out = s;
        return 0;
    }
    return refuse(why, -EINVAL, "unknown command '%s'; use --help for help", argv[0]);
}

void
subcommand_usage(const struct subcommand list[], struct text *out)
{
    for (const struct subcommand *s = list; s->name; s++) {
        size_t start = out->len;
        text_addf(out, "  %s %s", s->name, s->arguments);
        if (out->len - start > 30)
            text_add(out, "\n                               ");
        else
            text_pad(out, ' ', start + 31);
        text_addf(out, "%s\n", s->help);
    }
}
