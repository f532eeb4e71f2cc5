/* log - one writer behind one lock.
 *
 * A line is formatted once per destination, since each destination has a pattern of its own.  The conversions understood are
 * those of ovs-appctl(8): %A program, %c module, %d time (strftime text in braces, # is milliseconds), %D the same in local time, %m text, %N sequence,
 * %n newline, %p level, %P pid, %r milliseconds since start, %t thread name, %T thread name in parentheses unless it is the main one, %% percent; a
 * number before the letter is a least width, a 0 before it pads with zeros, a - pads at the right side.
 */
#include "base/log.h"
#include "base/log_syslog.h"
#include "base/mem.h"
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/syscall.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

static const char *const level_names[] = {"OFF", "EMER", "ERR", "WARN", "INFO", "DBG"};
static const int syslog_levels[] = {0, 1 /* alert */, 3, 4, 6, 7};
static const char *const dest_names[] = {"syslog", "console", "file"};

static struct {
    pthread_mutex_t lock; /* guards all below but 'modules', which only constructors change */
    struct log_module *modules;
    const char *program;
    char *patterns[DEST_N_DESTS]; /* NULL: the default */
    unsigned sequence;
    char *file_path;
    int file_fd;
    bool console_gone;
    int facility;
    instant started;
} logs = {.lock = PTHREAD_MUTEX_INITIALIZER, .program = "sluice", .file_fd = -1, .facility = 3 << 3};

static const char *const default_patterns[] = {"ovs|%05N|%c%T|%p|%m", "%D{%Y-%m-%dT%H:%M:%SZ}|%05N|%c%T|%p|%m",
                                               "%D{%Y-%m-%dT%H:%M:%S.###Z}|%05N|%c%T|%p|%m"};

const char *
log_level_name(enum log_level level)
{
    return level_names[level];
}

void
log_register(struct log_module *m)
{
    m->next = logs.modules;
    logs.modules = m;
}

void
log_init(const char *program)
{
    logs.program = program;
    logs.started = clock_now();
}

const char *
log_program(void)
{
    return logs.program;
}

static void
refresh_most(struct log_module *m)
{
    m->most = LVL_OFF;
    for (int d = 0; d < DEST_N_DESTS; d++)
        if (d != DEST_FILE || logs.file_fd >= 0)
            m->most = MAX(m->most, m->levels[d]);
}

static void
refresh_all(void)
{
    for (struct log_module *m = logs.modules; m; m = m->next)
        refresh_most(m);
}

bool
log_may(const struct log_module *m, struct log_limit *l, unsigned *held)
{
    *held = 0;
    if (m->limits_off)
        return true;
    pthread_mutex_lock(&logs.lock);
    int64_t now = clock_now().ns / 1000000;
    int64_t full = (int64_t) l->burst * 60000;
    if (l->last_ms)
        l->tokens_x60k = MIN(full, l->tokens_x60k + (now - l->last_ms) * l->per_minute);
    l->last_ms = now;
    bool ok = l->tokens_x60k >= 60000;
    if (ok) {
        l->tokens_x60k -= 60000;
        *held = l->held;
        l->held = 0;
    } else {
        l->held++;
    }
    pthread_mutex_unlock(&logs.lock);
    return ok;
}

static void
add_time(struct text *out, const char *fmt, size_t fmt_len, bool local, int64_t wall_ms)
{
    time_t sec = wall_ms / 1000;
    struct tm tm;
    if (local)
        localtime_r(&sec, &tm);
    else
        gmtime_r(&sec, &tm);
    char shape[128], made[256];
    snprintf(shape, sizeof shape, "%.*s", (int) fmt_len, fmt);
    size_t n = strftime(made, sizeof made, shape, &tm);
    char ms[16];
    snprintf(ms, sizeof ms, "%03u", (unsigned) (wall_ms % 1000));
    for (size_t i = 0, digit = 0; i < n; i++)
        if (made[i] == '#' && digit < 3)
            made[i] = ms[digit++];
    text_addn(out, made, n);
}

static void
add_line(struct text *out, const char *pattern, const struct log_module *m, enum log_level level, const char *message,
         int64_t wall_ms)
{
    for (const char *p = pattern; *p; p++) {
        if (*p != '%' || !p[1]) {
            text_addc(out, *p);
            continue;
        }
        p++;
        bool left = *p == '-';
        p += left;
        bool zero = *p == '0';
        p += zero;
        size_t width = 0;
        while (isdigit((unsigned char) *p))
            width = MIN(width * 10 + (*p++ - '0'), 100u);

        AUTO_TEXT struct text piece = TEXT_INIT;
        char thread[17] = "";
        switch (*p) {
        case 'A':
            text_add(&piece, logs.program);
            break;
        case 'B':
            text_addf(&piece, "%d", syslog_levels[level] + logs.facility);
            break;
        case 'c':
            text_add(&piece, m->name);
            break;
        case 'd':
        case 'D': {
            bool local = *p == 'd';
            const char *fmt = "%Y-%m-%d %H:%M:%S.###", *end = NULL;
            size_t len = strlen(fmt);
            if (p[1] == '{' && (end = strchr(p, '}'))) {
                fmt = p + 2;
                len = end - fmt;
            }
            add_time(&piece, fmt, len, local, wall_ms);
            if (end)
                p = end;
            break;
        }
        case 'E': {
            char host[256] = "localhost";
            gethostname(host, sizeof host - 1);
            text_add(&piece, host);
            break;
        }
        case 'm':
            text_add(&piece, message);
            break;
        case 'N':
            text_addf(&piece, "%u", logs.sequence);
            break;
        case 'n':
            text_addc(&piece, '\n');
            break;
        case 'p':
            text_add(&piece, level_names[level]);
            break;
        case 'P':
            text_addf(&piece, "%ld", (long) getpid());
            break;
        case 'r':
            text_addf(&piece, "%lld", (long long) span_ms(instant_since(clock_now(), logs.started)));
            break;
        case 't':
        case 'T': {
            bool main_thread = getpid() == (pid_t) syscall(SYS_gettid);
            if (!main_thread)
                prctl(PR_GET_NAME, thread);
            if (*p == 't')
                text_add(&piece, main_thread ? "main" : thread);
            else if (!main_thread)
                text_addf(&piece, "(%s)", thread);
            break;
        }
        case '%':
            text_addc(&piece, '%');
            break;
        default:
            text_addc(&piece, *p);
        }
        size_t pad = piece.len < width ? width - piece.len : 0;
        for (size_t i = 0; !left && i < pad; i++)
            text_addc(out, zero ? '0' : ' ');
        text_addn(out, text_str(&piece), piece.len);
        for (size_t i = 0; left && i < pad; i++)
            text_addc(out, ' ');
    }
}

static const char *
pattern_of(enum log_dest d)
{
    return logs.patterns[d] ? logs.patterns[d] : default_patterns[d];
}

void
log_write_v(const struct log_module *m, enum log_level level, const char *fmt, va_list args)
{
    int saved = errno;
    AUTO_TEXT struct text message = TEXT_INIT;
    text_addv(&message, fmt, args);
    int64_t now = clock_wall_ms();

    pthread_mutex_lock(&logs.lock);
    logs.sequence++;
    AUTO_TEXT struct text line = TEXT_INIT;
    if (level <= m->levels[DEST_CONSOLE] && !logs.console_gone) {
        add_line(&line, pattern_of(DEST_CONSOLE), m, level, text_str(&message), now);
        text_addc(&line, '\n');
        UNUSED ssize_t n = write(STDERR_FILENO, line.s, line.len);
    }
    if (level <= m->levels[DEST_SYSLOG]) {
        text_cut(&line, 0);
        add_line(&line, pattern_of(DEST_SYSLOG), m, level, text_str(&message), now);
        syslog_send(logs.facility, syslog_levels[level], logs.program, line.s);
    }
    if (level <= m->levels[DEST_FILE] && logs.file_fd >= 0) {
        text_cut(&line, 0);
        add_line(&line, pattern_of(DEST_FILE), m, level, text_str(&message), now);
        text_addc(&line, '\n');
        UNUSED ssize_t n = write(logs.file_fd, line.s, line.len);
    }
    pthread_mutex_unlock(&logs.lock);
    errno = saved;
}

void
log_write(const struct log_module *m, enum log_level level, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    log_write_v(m, level, fmt, args);
    va_end(args);
}

static struct log_module *
find_module(const char *name)
{
    for (struct log_module *m = logs.modules; m; m = m->next)
        if (!strcasecmp(m->name, name))
            return m;
    return NULL;
}

static int
word_index(const char *word, const char *const names[], int n)
{
    for (int i = 0; i < n; i++)
        if (!strcasecmp(word, names[i]))
            return i;
    return -1;
}

static int
set_pattern(const char *words, struct why *why)
{
    const char *colon = strchr(words, ':');
    if (!colon)
        return refuse(why, -EINVAL, "use pattern:DESTINATION:PATTERN");
    AUTO_STR char *name = xstrndup(words, colon - words);
    int dest = word_index(name, dest_names, DEST_N_DESTS);
    if (dest < 0 && strcasecmp(name, "any"))
        return refuse(why, -EINVAL, "unknown destination %s", name);
    pthread_mutex_lock(&logs.lock);
    for (int d = 0; d < DEST_N_DESTS; d++)
        if (dest < 0 || d == dest) {
            free(logs.patterns[d]);
            logs.patterns[d] = xstrdup(colon + 1);
        }
    pthread_mutex_unlock(&logs.lock);
    return 0;
}

static int
set_facility(const char *name, struct why *why)
{
    static const char *const names[] = {"kern",   "user",   "mail",   "daemon", "auth",   "syslog", "lpr",    "news",
                                        "uucp",   "clock",  "ftp",    "ntp",    "audit",  "alert",  "clock2", "local0",
                                        "local1", "local2", "local3", "local4", "local5", "local6", "local7"};
    static const uint8_t numbers[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23};
    int i = word_index(name, names, ARRAY_SIZE(names));
    if (i < 0)
        return refuse(why, -EINVAL, "invalid facility \"%s\"", name);
    pthread_mutex_lock(&logs.lock);
    logs.facility = numbers[i] << 3;
    pthread_mutex_unlock(&logs.lock);
    return 0;
}

int
log_set_words(const char *words, struct why *why)
{
    if (!strncasecmp(words, "pattern:", 8))
        return set_pattern(words + 8, why);
    if (!strncasecmp(words, "facility:", 9))
        return set_facility(words + 9, why);

    AUTO_STR char *copy = xstrdup(words);
    struct log_module *module = NULL;
    int dest = -1, level = -1;
    char *save = NULL;
    for (char *w = strtok_r(copy, " ,:", &save); w; w = strtok_r(NULL, " ,:", &save)) {
        int i;
        if (!strcasecmp(w, "any"))
            continue;
        if ((i = word_index(w, dest_names, DEST_N_DESTS)) >= 0) {
            if (dest >= 0)
                return refuse(why, -EINVAL, "cannot specify multiple destinations");
            dest = i;
        } else if ((i = word_index(w, level_names, ARRAY_SIZE(level_names))) >= 0) {
            if (level >= 0)
                return refuse(why, -EINVAL, "cannot specify multiple levels");
            level = i;
        } else if (module) {
            return refuse(why, -EINVAL, "cannot specify multiple modules");
        } else if (!(module = find_module(w))) {
            /* Test suites and unit files name the field's own modules (-vnetdev_dummy:off, -vjsonrpc...): a name that
             * only looks like a module is taken and changes nothing. */
            for (const char *c = w; *c; c++)
                if (!isalnum((unsigned char) *c) && *c != '_' && *c != '-')
                    return refuse(why, -EINVAL, "no destination, level, or module \"%s\"", w);
            return 0;
        }
    }
    if (level < 0)
        level = LVL_DBG;
    pthread_mutex_lock(&logs.lock);
    for (struct log_module *m = logs.modules; m; m = m->next)
        if (!module || m == module) {
            for (int d = 0; d < DEST_N_DESTS; d++)
                if (dest < 0 || d == dest)
                    m->levels[d] = level;
            refresh_most(m);
        }
    pthread_mutex_unlock(&logs.lock);
    return 0;
}

int
log_set_limits(const char *module, bool on, struct why *why)
{
    bool all = !module || !strcasecmp(module, "any");
    if (!all && !find_module(module))
        return refuse(why, -EINVAL, "unknown module");
    for (struct log_module *m = logs.modules; m; m = m->next)
        if (all || !strcasecmp(m->name, module))
            m->limits_off = !on;
    return 0;
}

static int
by_name(const void *a, const void *b)
{
    return strcmp((*(struct log_module *const *) a)->name, (*(struct log_module *const *) b)->name);
}

void
log_list(struct text *out)
{
    struct log_module *sorted[512];
    size_t n = 0;
    for (struct log_module *m = logs.modules; m && n < ARRAY_SIZE(sorted); m = m->next)
        sorted[n++] = m;
    qsort(sorted, n, sizeof *sorted, by_name);
    text_add(out, "                 console    syslog    file\n                 -------    ------    ------\n");
    for (size_t i = 0; i < n; i++)
        text_addf(out, "%-16s  %4s       %4s       %4s%s\n", sorted[i]->name,
                  level_names[sorted[i]->levels[DEST_CONSOLE]], level_names[sorted[i]->levels[DEST_SYSLOG]],
                  level_names[sorted[i]->levels[DEST_FILE]],
                  sorted[i]->limits_off ? "    (rate limiting disabled)" : "");
}

void
log_list_patterns(struct text *out)
{
    static const struct {
        enum log_dest dest;
        const char *name, *prefix;
    } rows[] = {{DEST_SYSLOG, "SYSLOG", "<%B> %D{%h %e %T} %E %A:"},
                {DEST_CONSOLE, "CONSOLE", "none"},
                {DEST_FILE, "FILE", "none"}};
    text_add(out,
             "         prefix                            format\n         ------                            ------\n");
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        text_addf(out, "%-7s  %-32s  %s\n", rows[i].name, rows[i].prefix, pattern_of(rows[i].dest));
}

static int
open_file(const char *path, struct why *why)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0660);
    if (fd < 0)
        return refuse(why, -errno, "%s: cannot open the log file (%s)", path, strerror(errno));
    return fd;
}

int
log_file_open(const char *path, struct why *why)
{
    int fd = open_file(path, why);
    if (fd < 0)
        return fd;
    pthread_mutex_lock(&logs.lock);
    if (logs.file_fd >= 0)
        close(logs.file_fd);
    logs.file_fd = fd;
    free(logs.file_path);
    logs.file_path = xstrdup(path);
    refresh_all();
    pthread_mutex_unlock(&logs.lock);
    return 0;
}

int
log_file_reopen(struct why *why)
{
    if (!logs.file_path)
        return refuse(why, -ENOENT, "Logging to file not configured");
    AUTO_STR char *path = xstrdup(logs.file_path);
    return log_file_open(path, why);
}

int
log_file_close(struct why *why)
{
    if (logs.file_fd < 0)
        return refuse(why, -ENOENT, "Logging to file not configured");
    pthread_mutex_lock(&logs.lock);
    close(logs.file_fd);
    logs.file_fd = -1;
    refresh_all();
    pthread_mutex_unlock(&logs.lock);
    return 0;
}

const char *
log_file_path(void)
{
    return logs.file_path;
}

int
log_syslog_method(const char *method, struct why *why)
{
    pthread_mutex_lock(&logs.lock);
    int err = syslog_set_method(method, why);
    pthread_mutex_unlock(&logs.lock);
    return err;
}

int
log_syslog_target(const char *target, struct why *why)
{
    pthread_mutex_lock(&logs.lock);
    int err = syslog_set_target(target, why);
    pthread_mutex_unlock(&logs.lock);
    return err;
}

void
log_console_gone(void)
{
    logs.console_gone = true;
}
