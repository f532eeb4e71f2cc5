/* unixctl_commands - the commands that every program of the field answers. */
#include "base/coverage.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/daemon.h"
#include "io/memory.h"
#include "io/unixctl_private.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
version(struct unixctl_conn *c, int argc, const char *argv[], void *aux)
{
    AUTO_TEXT struct text t = TEXT_INIT;
    text_addf(&t, "%s (Open vSwitch) %s", log_program(), FIELD_VERSION);
    unixctl_reply(c, text_str(&t));
}

static void
list_commands(struct unixctl_conn *c, int argc, const char *argv[], void *aux)
{
    AUTO_TEXT struct text t = TEXT_INIT;
    unixctl_list_commands(&t);
    unixctl_reply(c, text_str(&t));
}

static void
set_options(struct unixctl_conn *c, int argc, const char *argv[], void *aux)
{
    const char *equals = strchr(argv[1], '=');
    size_t n = equals ? equals - argv[1] : strlen(argv[1]);
    const char *value = equals ? equals + 1 : argc > 2 ? argv[2] : NULL;
    bool is_format = (n == 8 && !strncmp(argv[1], "--format", n)) || (n == 2 && !strncmp(argv[1], "-f", n));
    if (!is_format || (equals && argc > 2)) {
        unixctl_failf(c, "unknown option \"%s\"", argv[1]);
    } else if (!value || (strcmp(value, "json") && strcmp(value, "text"))) {
        unixctl_failf(c, "option format has invalid value %s", value ? value : "(none)");
    } else {
        unixctl_set_json(c, false); /* the answer to this command is plain */
        unixctl_reply(c, NULL);
        unixctl_set_json(c, !strcmp(value, "json"));
    }
}

static void
vlog_list(struct unixctl_conn *c, int argc, const char *argv[], void *aux)
{
    AUTO_TEXT struct text t = TEXT_INIT;
    log_list(&t);
    unixctl_reply(c, text_str(&t));
}

static void
vlog_list_pattern(struct unixctl_conn *c, int argc, const char *argv[], void *aux)
{
    AUTO_TEXT struct text t = TEXT_INIT;
    log_list_patterns(&t);
    unixctl_reply(c, text_str(&t));
}

static void
vlog_set(struct unixctl_conn *c, int argc, const char *argv[], void *aux)
{
    struct why why;
    for (int i = 1; i < argc; i++)
        if (log_set_words(argv[i], &why)) {
            unixctl_fail(c, why.text);
            return;
        }
    unixctl_reply(c, NULL);
}

static void
vlog_close(struct unixctl_conn *c, int argc, const char *argv[], void *aux)
{
    log_file_close(NULL); /* nothing to close is no error here */
    unixctl_reply(c, NULL);
}

static void
vlog_reopen(struct unixctl_conn *c, int argc, const char *argv[], void *aux)
{
    struct why why;
    if (log_file_reopen(&why))
        unixctl_fail(c, why.text);
    else
        unixctl_reply(c, NULL);
}

/* 'aux' is NULL to switch the limits off. */
static void
vlog_rate_limit(struct unixctl_conn *c, int argc, const char *argv[], void *aux)
{
    struct why why;
    if (argc == 1)
        log_set_limits(NULL, aux != NULL, NULL);
    for (int i = 1; i < argc; i++)
        if (log_set_limits(argv[i], aux != NULL, &why)) {
            unixctl_fail(c, why.text);
            return;
        }
    unixctl_reply(c, NULL);
}

static void
coverage_show_command(struct unixctl_conn *c, int argc, const char *argv[], void *aux)
{
    AUTO_TEXT struct text t = TEXT_INIT;
    coverage_show(&t);
    unixctl_reply(c, text_str(&t));
}

static void
coverage_read_counter(struct unixctl_conn *c, int argc, const char *argv[], void *aux)
{
    unsigned long long total;
    char s[32];
    if (!coverage_read(argv[1], &total)) {
        unixctl_fail(c, "No such counter");
        return;
    }
    snprintf(s, sizeof s, "%llu", total);
    unixctl_reply(c, s);
}

static void
memory_show_command(struct unixctl_conn *c, int argc, const char *argv[], void *aux)
{
    AUTO_TEXT struct text t = TEXT_INIT;
    memory_show(&t);
    unixctl_reply(c, text_str(&t));
}

void
unixctl_register_standard(void)
{
    static char on;
    unixctl_command("version", "", 0, 0, version, NULL);
    unixctl_command("list-commands", "", 0, 0, list_commands, NULL);
    unixctl_command("set-options", "[--format text|json]", 1, 2, set_options, NULL);
    unixctl_command("vlog/set", "{spec | PATTERN:destination:pattern}", 1, INT_MAX, vlog_set, NULL);
    unixctl_command("vlog/list", "", 0, 0, vlog_list, NULL);
    unixctl_command("vlog/list-pattern", "", 0, 0, vlog_list_pattern, NULL);
    unixctl_command("vlog/enable-rate-limit", "[module]...", 0, INT_MAX, vlog_rate_limit, &on);
    unixctl_command("vlog/disable-rate-limit", "[module]...", 0, INT_MAX, vlog_rate_limit, NULL);
    unixctl_command("vlog/reopen", "", 0, 0, vlog_reopen, NULL);
    unixctl_command("vlog/close", "", 0, 0, vlog_close, NULL);
    unixctl_command("coverage/show", "", 0, 0, coverage_show_command, NULL);
    unixctl_command("coverage/read-counter", "COUNTER", 1, 1, coverage_read_counter, NULL);
    unixctl_command("memory/show", "", 0, 0, memory_show_command, NULL);
}

/* ---- time, for tests ---- */

static void
time_stop(struct unixctl_conn *c, int argc, const char *argv[], void *loop)
{
    loop_time_stop(loop);
    unixctl_reply(c, NULL);
}

static void
warped(void *conn)
{
    unixctl_reply(conn, "warped");
}

static void
time_warp(struct unixctl_conn *c, int argc, const char *argv[], void *loop)
{
    long long total = argc > 2 ? atoll(argv[1]) : 0;
    long long step = atoll(argv[argc - 1]);
    if (step <= 0 || total < 0 || total > INT_MAX || step > INT_MAX)
        unixctl_fail(c, "invalid MSECS");
    else if (loop_is_warping(loop))
        unixctl_fail(c, "A previous warp in progress");
    else
        loop_time_warp(loop, millis(total ? total : step), millis(step), warped, c);
}

void
loop_register_time_commands(struct loop *l)
{
    unixctl_command("time/stop", "", 0, 0, time_stop, l);
    unixctl_command("time/warp", "[large_msecs] msecs", 1, 2, time_warp, l);
}
