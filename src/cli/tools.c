#include "cli/tools.h"

#include "cli/appctl.h"
#include "cli/ask.h"
#include "cli/dbclient.h"
#include "cli/dbtool.h"
#include "cli/ofctl.h"
#include "cli/status.h"
#include "cli/up.h"
#include "cli/vsctl.h"
#include "io/daemon.h"
#include <stdint.h>
#include <stdio.h>
#include <string.h>

const struct tool tools[] = {
    {"up", NULL, "[--timeout=SECONDS]", "start database and switch, supervised; harmless when they run", sluice_up},
    {"down", NULL, "[--cleanup]", "stop them; with --cleanup bridges and their devices go, too", sluice_down},
    {"status", NULL, "[--json] [--interval=SECONDS]", "what is connected, learned, how fast, and what was dropped",
     sluice_status},
    {"trace", NULL, "BRIDGE FLOW [-generate | FRAME]", "what would happen to this frame, step by step", sluice_trace},
    {"drops", NULL, "[--last] [--json]", "which frames were dropped, and why", sluice_drops},
    {"vsctl", "ovs-vsctl", "[OPTIONS] COMMAND [ARG...]", "read and change the configuration of the switch", vsctl_main},
    {"appctl", "ovs-appctl", "[-t TARGET] COMMAND [ARG...]", "ask or command a running program", appctl_main},
    {"dbclient", "ovsdb-client", "[OPTIONS] COMMAND [ARG...]", "ask a database server, watch what it holds",
     dbclient_main},
    {"dbtool", "ovsdb-tool", "[OPTIONS] COMMAND [ARG...]", "make, convert and read database files", dbtool_main},
    {"ofctl", "ovs-ofctl", "[OPTIONS] COMMAND [ARG...]", "read and change the rules of a switch", ofctl_main},
    {NULL, NULL, NULL, NULL, NULL},
};

static const struct tool *
tool_find(const char *word, bool by_program)
{
    for (const struct tool *t = tools; t->name; t++) {
        const char *name = by_program ? t->program : t->name;
        if (name && !strcmp(name, word))
            return t;
    }
    return NULL;
}

static void
usage(FILE *f)
{
    fputs("usage: sluice COMMAND [ARG...]\n\n", f);
    for (const struct tool *t = tools; t->name; t++) {
        fprintf(f, "  %-12s %s", t->name, t->help);
        if (t->program)
            fprintf(f, " (%s)", t->program);
        fputc('\n', f);
    }
    fputs("\n\"sluice COMMAND --help\" tells more.\n", f);
}

int
tools_main(int argc, char *argv[])
{
    const char *slash = strrchr(argv[0], '/');
    const struct tool *t = tool_find(slash ? slash + 1 : argv[0], true);

    if (t)
        return t->main(argc, argv);
    if (argc < 2 || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
        usage(argc < 2 ? stderr : stdout);
        return argc < 2;
    }
    if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
        print_version("sluice");
        return 0;
    }
    t = tool_find(argv[1], false);
    if (!t) {
        fprintf(stderr, "sluice: there is no command \"%s\"; \"sluice --help\" lists them\n", argv[1]);
        return 1;
    }
    if (t->program)
        argv[1] = (char *) (uintptr_t) t->program;
    return t->main(argc - 1, argv + 1);
}
