/* log - what an operator reads: object, event, number.
 *
 * Use.     LOG_MODULE(bridge)  once at the top of a .c file, then log_info("%s: ...", name).
 *          What a packet or a peer can provoke: log_warn_rl(&limit, ...) with  static struct log_limit limit = LOG_LIMIT(5, 60);
 * Levels.  emer, err: a person must act; warn: we coped, a person should look; info: a change someone asked for; dbg: for us.
 *          Start scripts and test suites take any warn, err or emer line for a failure.
 * Shape.   Destinations syslog, console (stderr), file; each module has a level at each of them.  A line of the file is
 *              TIME|SEQUENCE|MODULE|LEVEL|text            (TIME as 2026-01-02T03:04:05.678Z)
 * Threads. Any; one lock around the writing.
 * Source.  The words of -v and vlog/set are those of ovs-appctl(8), "vlog".
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H 1

#include "base/clock.h"
#include "base/text.h"
#include "base/why.h"

enum log_level { LVL_OFF, LVL_EMER, LVL_ERR, LVL_WARN, LVL_INFO, LVL_DBG };
enum log_dest { DEST_SYSLOG, DEST_CONSOLE, DEST_FILE, DEST_N_DESTS };

struct log_module {
    const char *name;
    enum log_level levels[DEST_N_DESTS];
    enum log_level most; /* the highest of 'levels' that goes anywhere: one compare decides */
    bool limits_off;     /* vlog/disable-rate-limit */
    struct log_module *next;
};

/* At most 'burst' lines at once and 'per_minute' in the long run; what was held back is counted in the next line. */
struct log_limit {
    int per_minute, burst;
    int64_t tokens_x60k;
    int64_t last_ms;
    unsigned held;
};
#define LOG_LIMIT(per_minute, burst)                                                                                   \
    {                                                                                                                  \
        per_minute, burst, (int64_t) (burst) *60000, 0, 0                                                              \
    }

#define LOG_MODULE(NAME)                                                                                               \
    static struct log_module this_module = {#NAME, {LVL_INFO, LVL_INFO, LVL_INFO}, LVL_INFO, false, NULL};             \
    __attribute__((constructor)) static void log_register_this_module(void)                                            \
    {                                                                                                                  \
        log_register(&this_module);                                                                                    \
    }

void log_register(struct log_module *);
void log_write(const struct log_module *, enum log_level, const char *fmt, ...) PRINTF(3, 4);
void log_write_v(const struct log_module *, enum log_level, const char *fmt, va_list) PRINTF(3, 0);
bool log_may(const struct log_module *, struct log_limit *, unsigned *held);

#define log_at(level, ...) ((level) <= this_module.most ? log_write(&this_module, level, __VA_ARGS__) : (void) 0)
#define log_emer(...) log_at(LVL_EMER, __VA_ARGS__)
#define log_err(...) log_at(LVL_ERR, __VA_ARGS__)
#define log_warn(...) log_at(LVL_WARN, __VA_ARGS__)
#define log_info(...) log_at(LVL_INFO, __VA_ARGS__)
#define log_dbg(...) log_at(LVL_DBG, __VA_ARGS__)
#define log_at_rl(level, limit, fmt, ...)                                                                              \
    do {                                                                                                               \
        unsigned held_;                                                                                                \
        if ((level) <= this_module.most && log_may(&this_module, limit, &held_)) {                                     \
            if (held_)                                                                                                 \
                log_write(&this_module, level, "%u similar lines were held back", held_);                              \
            log_write(&this_module, level, fmt, ##__VA_ARGS__);                                                        \
        }                                                                                                              \
    } while (0)
#define log_err_rl(limit, ...) log_at_rl(LVL_ERR, limit, __VA_ARGS__)
#define log_warn_rl(limit, ...) log_at_rl(LVL_WARN, limit, __VA_ARGS__)
#define log_info_rl(limit, ...) log_at_rl(LVL_INFO, limit, __VA_ARGS__)
#define log_dbg_rl(limit, ...) log_at_rl(LVL_DBG, limit, __VA_ARGS__)
#define log_is_dbg() (this_module.most >= LVL_DBG)

const char *log_level_name(enum log_level); /* "OFF" ... "DBG" */

/* What the program calls itself in a line of syslog and in file names; borrowed for ever. */
void log_init(const char *program);
const char *log_program(void);

/* One word of -v or vlog/set: "MODULE:DEST:LEVEL" in any order and with parts left out ("ANY" too), "PATTERN:DEST:PATTERN",
 * "FACILITY:name".  Nothing changes on refusal. */
int log_set_words(const char *words, struct why *);

/* -EINVAL: no such module.  'module' NULL or "ANY": all. */
int log_set_limits(const char *module, bool on, struct why *);

/* The table of vlog/list and the one of vlog/list-pattern. */
void log_list(struct text *);
void log_list_patterns(struct text *);

int log_file_open(const char *path, struct why *); /* a second call changes the file */
int log_file_reopen(struct why *);                 /* -ENOENT: no log file is in use */
int log_file_close(struct why *);                  /* -ENOENT: no log file is in use */
const char *log_file_path(void);                   /* NULL: none */

/* How lines reach syslog: "libc", "null" (not at all), "unix:FILE", "udp:IP:PORT".  OVS_SYSLOG_METHOD says it at the start. */
int log_syslog_method(const char *, struct why *);
/* Sends them to "HOST:PORT" by UDP as well (HOST an address); the port may be left out (514). */
int log_syslog_target(const char *, struct why *);

/* The console is gone (detached): nothing is written to it from here on. */
void log_console_gone(void);

#endif
