/* dpif-netdev/ - the lanes of a datapath, which the field calls PMD threads. */
#include "switch/commands.h"
#include "datapath/show.h"
#include <string.h>

/* "[-pmd CORE] [DP]" and options that change only how much the field prints.  DP_N: it has been answered. */
static enum dp_type
lanes_asked(struct unixctl_conn *conn, const struct vswitch *v, int argc, const char *argv[], int *core)
{
    const char *name = NULL;

    *core = -1;
    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], "-pmd") && i + 1 < argc) {
            char *end;
            *core = (int) strtol(argv[++i], &end, 10);
            if (*end || *core < 0) {
                unixctl_failf(conn, "%s: not the number of a core", argv[i]);
                return DP_N;
            }
        } else if (argv[i][0] == '-') {
            unixctl_failf(conn, "%s: this option is not served", argv[i]);
            return DP_N;
        } else
            name = argv[i];
    return datapath_asked(conn, v, name);
}

struct lanes_command {
    const char *name, *usage;
    void (*tell)(struct datapath *, int core, struct text *);
};

static void
clear(struct datapath *dp, int core, UNUSED struct text *t)
{
    dp_lanes_clear(dp, core);
}

static const struct lanes_command commands[] = {
    {"dpif-netdev/pmd-stats-show", "[-pmd core] [dp]", dp_lanes_stats},
    {"dpif-netdev/pmd-stats-clear", "[-pmd core] [dp]", clear},
    {"dpif-netdev/pmd-rxq-show", "[-pmd core] [dp]", dp_lanes_queues},
    {"dpif-netdev/pmd-perf-show", "[-pmd core] [dp]", dp_lanes_perf},
};

static void
tell(struct unixctl_conn *conn, int argc, const char *argv[], void *aux)
{
    const struct vswitch *v = aux;
    AUTO_TEXT struct text t = TEXT_INIT;
    int core;
    enum dp_type type = lanes_asked(conn, v, argc, argv, &core);

    if (type == DP_N)
        return;
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
        if (!strcmp(commands[i].name, argv[0]))
            commands[i].tell(backer_datapath(v->backers[type]), core, &t);
    unixctl_reply(conn, text_str(&t));
}

static void
tell_sleep(struct unixctl_conn *conn, int argc, const char *argv[], void *aux)
{
    const struct vswitch *v = aux;
    AUTO_TEXT struct text t = TEXT_INIT;
    enum dp_type type = datapath_asked(conn, v, argc > 1 ? argv[1] : NULL);

    if (type == DP_N)
        return;
    dp_lanes_sleep(backer_datapath(v->backers[type]), &t);
    unixctl_reply(conn, text_str(&t));
}

void
commands_lanes(struct vswitch *v)
{
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
        unixctl_command(commands[i].name, commands[i].usage, 0, 3, tell, v);
    unixctl_command("dpif-netdev/pmd-sleep-show", "[dp]", 0, 1, tell_sleep, v);
}
