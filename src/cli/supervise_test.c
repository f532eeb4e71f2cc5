#include "cli/supervise.h"
#include "base/mem.h"
#include "base/test.h"
#include "base/text.h"
#include "cli/restart.h"
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

TEST(the_first_crash_is_answered_at_once)
{
    struct restart r = {0};
    instant t = {1000};
    restart_begun(&r, t);
    CHECK_EQ(restart_delay(&r, t).ns, RESTART_FIRST.ns);
}

TEST(a_program_that_keeps_crashing_waits_longer_up_to_a_limit)
{
    struct restart r = {0};
    instant t = {1000};
    span last = {0};
    for (int i = 0; i < 20; i++) {
        restart_begun(&r, t);
        t = instant_add(t, millis(10));
        span delay = restart_delay(&r, t);
        CHECK(delay.ns >= last.ns);
        CHECK(delay.ns <= RESTART_LIMIT.ns);
        last = delay;
        t = instant_add(t, delay);
    }
    CHECK_EQ(last.ns, RESTART_LIMIT.ns);
    restart_begun(&r, t);
    CHECK_EQ(restart_delay(&r, instant_add(t, RESTART_FORGIVEN)).ns, RESTART_FIRST.ns);
}

/* Programs are shell lines; what happened is noted in 'notes'. */
struct scene {
    struct loop *loop;
    struct supervise *s;
    char dir[64];
    char pidfile[2][96];
    char *argv[2][4];
    struct supervised programs[2];
    struct text notes;
    unsigned n_asked, answer_after;
    pid_t victim; /* the first life of A, when 'is_murder' */
    bool is_murder;
};

static bool
answers(void *aux, size_t i, pid_t pid)
{
    struct scene *sc = aux;
    if (++sc->n_asked <= sc->answer_after)
        return false;
    text_add(&sc->notes, i ? "B" : "A");
    if (sc->is_murder && i == 0) {
        if (!sc->victim)
            sc->victim = pid;
        else if (pid != sc->victim)
            supervise_stop(sc->s);
    }
    return true;
}

static int
up(void *aux, size_t i, UNUSED struct why *why)
{
    text_add(&((struct scene *) aux)->notes, i ? "b" : "a");
    return 0;
}

static void
settled(void *aux, const struct why *why)
{
    struct scene *sc = aux;
    text_add(&sc->notes, why ? "!" : ".");
    if (why)
        text_add(&sc->notes, why->text);
    if (!why && sc->is_murder)
        kill(sc->victim, SIGKILL);
    else
        supervise_stop(sc->s);
}

static const struct supervise_ops ops = {answers, up, settled};

static void
play(struct scene *sc, const char *first, const char *second, span patience)
{
    strcpy(sc->dir, "/tmp/supervise-XXXXXX");
    CHECK(mkdtemp(sc->dir) != NULL);
    const char *lines[] = {first, second};
    for (int i = 0; i < 2; i++) {
        snprintf(sc->pidfile[i], sizeof sc->pidfile[i], "%s/%d.pid", sc->dir, i);
        char *argv[] = {"sh", "-c", (char *) lines[i], NULL};
        memcpy(sc->argv[i], argv, sizeof argv);
        sc->programs[i] = (struct supervised){i ? "B" : "A", "/bin/sh", sc->argv[i], sc->pidfile[i]};
    }
    sc->loop = loop_new();
    sc->s = supervise_new(sc->loop, sc->programs, 2, -1, patience, &ops, sc);
    loop_run(sc->loop);
    supervise_free(sc->s);
    loop_free(sc->loop);
    rmdir(sc->dir);
}

TEST(programs_start_in_order_and_stop)
{
    struct scene sc = {.answer_after = 3};
    play(&sc, "exec sleep 100", "exec sleep 100", seconds(10));
    CHECK_STR(text_str(&sc.notes), "AaBb.");
    CHECK_EQ(waitpid(-1, NULL, WNOHANG), -1); /* both are gone */
    text_fini(&sc.notes);
}

TEST(one_that_ends_before_it_answers_is_told_about)
{
    struct scene sc = {.answer_after = 1000000};
    play(&sc, "exit 3", "exec sleep 100", seconds(10));
    CHECK_STR(text_str(&sc.notes), "!A: ended with exit code 3");
    text_fini(&sc.notes);
}

TEST(patience_ends)
{
    struct scene sc = {.answer_after = 1000000};
    play(&sc, "exec sleep 100", "exec sleep 100", millis(20));
    CHECK_STR(text_str(&sc.notes), "!A runs, but does not answer");
    CHECK_EQ(waitpid(-1, NULL, WNOHANG), -1);
    text_fini(&sc.notes);
}

TEST(one_that_is_killed_comes_back)
{
    struct scene sc = {.is_murder = true};
    play(&sc, "exec sleep 100", "exec sleep 100", seconds(10));
    CHECK_STR(text_str(&sc.notes), "AaBb.A");
    CHECK_EQ(waitpid(-1, NULL, WNOHANG), -1);
    text_fini(&sc.notes);
}

TESTS(the_first_crash_is_answered_at_once, a_program_that_keeps_crashing_waits_longer_up_to_a_limit,
      programs_start_in_order_and_stop, one_that_ends_before_it_answers_is_told_about, patience_ends,
      one_that_is_killed_comes_back)
