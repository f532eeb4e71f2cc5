#include "cli/appctl.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "cli/options.h"
#include "io/daemon.h"
#include "io/unixctl.h"
#include "ovsdb/json.h"
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXIT_REFUSED 2

struct options {
    const char *target;
    unsigned timeout_s;
    bool json, pretty;
    bool execute; /* -e: the command may begin with a hyphen and stands alone */
};

enum { OPT_PRETTY = UCHAR_MAX + 1 };

static const struct option own_options[] = {
    {"target", required_argument, NULL, 't'}, {"timeout", required_argument, NULL, 'T'},
    {"format", required_argument, NULL, 'f'}, {"pretty", no_argument, NULL, OPT_PRETTY},
    {"execute", no_argument, NULL, 'e'},      {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},      {NULL, 0, NULL, 0},
};

static void
usage(void)
{
    fputs(
        "ovs-appctl: asks a running program of the switch\n"
        "usage: ovs-appctl [OPTIONS] COMMAND [ARG...]\n\n"
        "  -t, --target=TARGET  a program's name, whose pid file is then read, or a socket (default: ovs-vswitchd)\n"
        "  -T, --timeout=SECS   wait at most SECS seconds for the answer\n"
        "  -f, --format=FORMAT  \"text\" (default) or \"json\"\n"
        "  --pretty             print JSON with indentation\n"
        "  -e, --execute        same as no option: what follows is the command\n"
        "  -v, --verbose[=SPEC] set logging levels\n"
        "  -h, --help           print this\n"
        "  -V, --version        print the version\n\n"
        "Every program knows list-commands, version, vlog/list, vlog/list-pattern, vlog/set [SPEC] and vlog/reopen.\n",
        stdout);
}

static int
set_format(struct options *o, const char *word, struct why *why)
{
    if (strcmp(word, "json") && strcmp(word, "text"))
        return refuse(why, -EINVAL, "value %s on -f or --format is invalid", word);
    o->json = !strcmp(word, "json");
    return 0;
}

/* 1: done, with success. */
static int
take_option(struct options *o, int c, struct why *why)
{
    int err = 0;

    switch (c) {
    case 't':
        o->target = optarg;
        return 0;
    case 'T':
        return timeout_parse(optarg, "-T or --timeout", &o->timeout_s, why);
    case 'f':
        return set_format(o, optarg, why);
    case OPT_PRETTY:
        o->pretty = true;
        return 0;
    case 'e':
        o->execute = true;
        return 0;
    case 'h':
        usage();
        return 1;
    case 'V':
        print_version("ovs-appctl");
        return 1;
    case '?':
        return refuse(why, -EINVAL, "%s", ""); /* getopt has spoken */
    default:
        (void) daemon_option(NULL, c, optarg, &err, why);
        return err;
    }
}

static int
parse_options(struct options *o, int argc, char *argv[], struct why *why)
{
    struct option all[48];

    options_join(all, ARRAY_SIZE(all), (const struct option *const[]){own_options, client_long_options, NULL});
    o->timeout_s = timeout_from_environment();
    optind = 0;
    for (;;) {
        int c = getopt_long(argc, argv, "+t:T:f:ehV" DAEMON_SHORT_OPTIONS, all, NULL);
        if (c == -1)
            break;
        int err = take_option(o, c, why);
        if (err)
            return err;
    }
    if (o->pretty && !o->json)
        return refuse(why, -EINVAL, "--pretty is supported with --format json only");
    if (optind >= argc)
        return refuse(why, -EINVAL, "at least one non-option argument is required (use --help for help)");
    return 0;
}

/* Answers that are JSON are printed on a line of their own, as the others bring their line feeds. */
static void
print_answer(const struct options *o, const char *text)
{
    AUTO_ARENA struct arena arena = ARENA_INIT;
    AUTO_TEXT struct text out = TEXT_INIT;
    struct jv v;

    if (!o->json) {
        fputs(text, stdout);
        return;
    }
    if (!jv_parse_copy(&arena, text, strlen(text), &v, NULL)) {
        (o->pretty ? jv_add_pretty : jv_add)(&out, &v);
    } else { /* a command that has no JSON form answers with a string */
        json_add_string(&out, text, strlen(text));
    }
    printf("%s\n", text_str(&out));
}

static void
print_refusal(const char *text)
{
    size_t n = strlen(text);
    fprintf(stderr, "%s%s", text, n && text[n - 1] != '\n' ? "\n" : "");
}

static int
ask(const struct options *o, int argc, char *argv[], struct why *why)
{
    const char *target = o->target ? o->target : "ovs-vswitchd";
    AUTO_STR char *result = NULL, *error = NULL;

    int err = unixctl_ask(target, argv[0], argc - 1, (const char *const *) argv + 1, o->json, seconds(o->timeout_s),
                          &result, &error, why);
    if (err == -ETIMEDOUT && o->timeout_s)
        timeout_expire(NULL);
    if (err == -EREMOTEIO) {
        fflush(stdout);
        print_refusal(error ? error : "");
        fprintf(stderr, "ovs-appctl: %s: server returned an error\n", target);
    } else if (!err) {
        print_answer(o, result ? result : "");
    }
    return err;
}

int
appctl_main(int argc, char *argv[])
{
    struct options o = {.target = NULL};
    struct why why = {""};

    log_init("ovs-appctl");
    (void) log_set_words("console:warn", NULL);
    int err = parse_options(&o, argc, argv, &why);
    if (err == 1)
        return EXIT_SUCCESS;
    if (!err)
        err = ask(&o, argc - optind, argv + optind, &why);
    if (err == -EREMOTEIO)
        return EXIT_REFUSED;
    if (err && why.text[0])
        fprintf(stderr, "ovs-appctl: %s\n", why.text);
    return err ? EXIT_FAILURE : EXIT_SUCCESS;
}
