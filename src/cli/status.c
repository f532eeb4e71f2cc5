/* status - see the header. */
#include "cli/status.h"
#include "cli/picture.h"
#include <errno.h>
#include <getopt.h>
#include <stdio.h>

#define NOT_RUNNING 3

static int
usage(FILE *to)
{
    fputs("usage: sluice status [--json] [--interval=SECONDS]\n"
          "Shows what is connected.  Rates are measured over the interval (0.3 seconds; 0: no rates).\n",
          to);
    return to == stdout ? 0 : 2;
}

int
sluice_status(int argc, char *argv[])
{
    static const struct option long_options[] = {{"json", no_argument, NULL, 'j'},
                                                 {"interval", required_argument, NULL, 'i'},
                                                 {"help", no_argument, NULL, 'h'},
                                                 {0}};
    AUTO(instance) struct instance *in = instance_new();
    AUTO(picture) struct picture *p = NULL;
    bool json = false;
    double interval = 0.3;
    struct why why;

    optind = 0;
    for (int c; (c = getopt_long(argc, argv, "jh", long_options, NULL)) != -1;) {
        char *end = NULL;
        if (c == 'j')
            json = true;
        else if (c == 'h')
            return usage(stdout);
        else if (c != 'i' ||
                 (interval = strtod(optarg, &end), end == optarg || *end || !(interval >= 0 && interval < 3600)))
            return usage(stderr);
    }
    if (optind < argc)
        return usage(stderr);

    int err = picture_take(in, nanos((int64_t) (interval * 1e9)), &p, &why);
    if (err) {
        fprintf(stderr, "sluice: %s\n", why.text);
        return err == -ESRCH ? NOT_RUNNING : 1;
    }
    if (json) {
        json_t *tree = picture_json(p);
        json_dumpf(tree, stdout, JSON_INDENT(2));
        putchar('\n');
        json_decref(tree);
    } else {
        AUTO_TEXT struct text t = TEXT_INIT;
        picture_print(p, &t);
        fputs(text_str(&t), stdout);
    }
    return p->db && p->switch_ ? 0 : NOT_RUNNING;
}
