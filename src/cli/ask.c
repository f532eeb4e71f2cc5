/* ask - see the header.  The switch is the one of this run directory. */
#include "cli/ask.h"
#include "base/mem.h"
#include "io/unixctl.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATIENCE seconds(10)

static int
ask(const char *command, int argc, char *argv[], bool json)
{
    AUTO_STR char *result = NULL;
    AUTO_STR char *error = NULL;
    struct why why = {"no answer"};
    int err =
        unixctl_ask("ovs-vswitchd", command, argc, (const char *const *) argv, json, PATIENCE, &result, &error, &why);
    if (!err) {
        size_t n = strlen(result);
        printf("%s%s", result, n && result[n - 1] != '\n' ? "\n" : "");
        return 0;
    }
    fprintf(stderr, "sluice: %s\n", error ? error : why.text);
    return 2;
}

int
sluice_trace(int argc, char *argv[])
{
    bool help = argc > 1 && !strcmp(argv[1], "--help");
    if (argc < 3 || help) {
        fputs("usage: sluice trace BRIDGE FLOW [-generate | FRAME]\n"
              "  tells what the bridge would do to a frame, step by step, and changes nothing (-generate: does it)\n"
              "  e.g.  sluice trace br0 in_port=1,dl_src=02:00:00:00:00:01,dl_dst=ff:ff:ff:ff:ff:ff\n",
              help ? stdout : stderr);
        return help ? 0 : 1;
    }
    return ask("ofproto/trace", argc - 1, argv + 1, false);
}

int
sluice_drops(int argc, char *argv[])
{
    const char *command = "drops/show";
    bool json = false;
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--last")) {
            command = "drops/last";
        } else if (!strcmp(argv[i], "--json")) {
            json = true;
        } else {
            bool help = !strcmp(argv[i], "--help");
            fputs("usage: sluice drops [--last] [--json]\n  frames that were dropped, by reason; with --last the "
                  "newest ones\n",
                  help ? stdout : stderr);
            return help ? 0 : 1;
        }
    }
    return ask(command, 0, NULL, json);
}
