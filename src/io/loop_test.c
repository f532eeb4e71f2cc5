/* Timers, tasks, stopped time, descriptors, calls from other threads.  Nothing here waits for a duration that matters. */
#include "io/loop.h"
#include "base/mem.h"
#include "base/test.h"
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>

static char trail[64]; /* what happened, one letter each */
static size_t n_trail;

static void
note(void *letter)
{
    trail[n_trail++] = *(const char *) letter;
    trail[n_trail] = 0;
}

static void
forget(void)
{
    n_trail = 0;
    trail[0] = 0;
}

static void
run_dry(struct loop *l)
{
    while (loop_turn(l, true))
        continue;
}

TEST(timers_fire_in_order_of_time_then_of_setting)
{
    AUTO(loop) struct loop *l = loop_new();
    static char letters[] = "abcd";
    struct timer timers[4];
    forget();
    for (int i = 0; i < 4; i++)
        timer_init(&timers[i], l, note, &letters[i]);
    timer_set_in(&timers[0], micros(300));
    timer_set_in(&timers[1], micros(100));
    timer_set_in(&timers[2], micros(100));
    timer_set_in(&timers[3], micros(200));
    timer_cancel(&timers[3]);
    timer_cancel(&timers[3]);
    run_dry(l);
    CHECK_STR(trail, "bca");
}

static unsigned n_fired;

static void
count_fired(void *aux)
{
    n_fired++;
}

static void
set_true(void *flag)
{
    *(bool *) flag = true;
}

static void
warp_and_wait(struct loop *l, span total, span step)
{
    bool done = false;
    loop_time_warp(l, total, step, set_true, &done);
    while (!done)
        loop_turn(l, true);
}

/* The slow twin of the heap is a look at every timer. */
TEST(exactly_the_timers_that_are_due_fire)
{
    enum { N = 300 };
    AUTO(loop) struct loop *l = loop_new();
    struct timer timers[N];
    unsigned seed = 1, n_set = 0;
    loop_time_stop(l);
    n_fired = 0;
    for (int i = 0; i < N; i++)
        timer_init(&timers[i], l, count_fired, NULL);
    for (int i = 0; i < 5 * N; i++) {
        seed = seed * 1103515245 + 12345;
        struct timer *t = &timers[(seed >> 8) % N];
        if (seed >> 28 < 5)
            timer_cancel(t);
        else
            timer_set_in(t, millis(1 + (seed >> 16) % 200));
    }
    for (int i = 0; i < N; i++)
        n_set += timers[i].due.ns != INSTANT_NEVER.ns;
    CHECK(n_set > N / 2);
    for (int ms = 0; ms <= 200; ms++) {
        warp_and_wait(l, millis(1), millis(1));
        unsigned n_left = 0;
        for (int i = 0; i < N; i++) {
            n_left += timers[i].due.ns != INSTANT_NEVER.ns;
            CHECK(timers[i].due.ns > loop_now(l).ns);
        }
        CHECK_EQ(n_left + n_fired, n_set);
    }
    CHECK_EQ(n_fired, n_set);
}

struct ticker {
    struct timer timer;
    int n;
    instant last;
};

static void
tick(void *ticker_)
{
    struct ticker *t = ticker_;
    t->n++;
    t->last = loop_now(t->timer.loop);
    timer_set_in(&t->timer, millis(100));
}

TEST(stopped_time_moves_only_by_warps)
{
    struct ticker t = {.n = 0};
    AUTO(loop) struct loop *l = loop_new();
    timer_init(&t.timer, l, tick, &t);
    loop_time_stop(l);
    instant start = loop_now(l);
    int64_t wall = loop_wall_ms(l);
    timer_set_in(&t.timer, millis(100));
    CHECK(!loop_turn(l, true)); /* nothing can happen, and it does not wait */
    CHECK_EQ(t.n, 0);
    CHECK_EQ(loop_now(l).ns, start.ns);

    warp_and_wait(l, seconds(3600), millis(100));
    CHECK_EQ(t.n, 36000);
    CHECK_EQ(instant_since(loop_now(l), start).ns, seconds(3600).ns);
    CHECK_EQ(loop_wall_ms(l) - wall, 3600000);

    warp_and_wait(l, seconds(10), seconds(10)); /* one step: fires once */
    CHECK_EQ(t.n, 36001);
    CHECK(!loop_is_warping(l));
    warp_and_wait(l, millis(250), millis(100)); /* 100, 100, 50 */
    CHECK_EQ(instant_since(loop_now(l), start).ns, seconds(3610).ns + millis(250).ns);
}

static void
again(void *task)
{
    n_fired++;
    task_soon(task);
}

TEST(a_turn_is_bounded)
{
    AUTO(loop) struct loop *l = loop_new();
    struct task t;
    n_fired = 0;
    task_init(&t, l, again, &t);
    task_soon(&t);
    task_soon(&t);
    CHECK(loop_turn(l, true));
    CHECK_EQ(n_fired, 1);
    CHECK(loop_turn(l, true));
    CHECK_EQ(n_fired, 2);
    task_cancel(&t);
    CHECK(!loop_turn(l, true));
}

static struct task victim, last;

static void
cancel_victim(void *aux)
{
    task_cancel(&victim);
    task_at_end(&last);
}

TEST(a_task_may_cancel_its_neighbour)
{
    AUTO(loop) struct loop *l = loop_new();
    static char letters[] = "vlm";
    struct task killer, middle;
    forget();
    task_init(&killer, l, cancel_victim, NULL);
    task_init(&victim, l, note, &letters[0]);
    task_init(&last, l, note, &letters[1]);
    task_init(&middle, l, note, &letters[2]);
    task_soon(&killer);
    task_soon(&victim);
    task_soon(&middle);
    CHECK(!loop_turn(l, true));
    CHECK_STR(trail, "ml");
}

struct ear {
    int fd;
    struct watch *watch;
    size_t n;
};

static void
hear(void *ear_, int events)
{
    struct ear *e = ear_;
    char bytes[16];
    CHECK(events & UV_READABLE);
    ssize_t n = read(e->fd, bytes, sizeof bytes);
    CHECK(n >= 0);
    e->n += n;
    if (!n) {
        watch_free(e->watch);
        e->watch = NULL;
    }
}

TEST(a_watch_pauses_goes_on_and_may_free_itself)
{
    AUTO(loop) struct loop *l = loop_new();
    int fds[2];
    CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    struct ear e = {.fd = fds[0]};
    e.watch = watch_new(l, fds[0], UV_READABLE, hear, &e);
    CHECK_EQ(write(fds[1], "hello", 5), 5);
    CHECK(loop_turn(l, true));
    CHECK_EQ(e.n, 5);
    watch_set(e.watch, 0);
    CHECK_EQ(write(fds[1], "hello", 5), 5);
    loop_turn(l, false);
    CHECK_EQ(e.n, 5);
    watch_set(e.watch, UV_READABLE);
    close(fds[1]);
    run_dry(l);
    CHECK_EQ(e.n, 10);
    CHECK(!e.watch);
    close(fds[0]);
}

struct caller {
    struct loop *loop;
    unsigned n_calls;
};

static void
called(void *caller_)
{
    struct caller *c = caller_;
    if (++c->n_calls == 1000)
        loop_stop(c->loop);
}

static void *
call_a_lot(void *caller_)
{
    struct caller *c = caller_;
    for (int i = 0; i < 1000; i++)
        loop_call_from(c->loop, called, c);
    return NULL;
}

TEST(calls_from_another_thread_all_arrive)
{
    AUTO(loop) struct loop *l = loop_new();
    struct caller c = {.loop = l};
    pthread_t thread;
    loop_use_rcu(l);
    CHECK(!pthread_create(&thread, NULL, call_a_lot, &c));
    loop_run(l);
    pthread_join(thread, NULL);
    CHECK_EQ(c.n_calls, 1000);
}

static void
stop(void *loop_)
{
    loop_stop(loop_);
}

TEST(a_signal_ends_the_loop)
{
    AUTO(loop) struct loop *l = loop_new();
    loop_on_signal(l, SIGUSR1, stop, l);
    CHECK(!loop_turn(l, true)); /* a signal does not keep it alive */
    raise(SIGUSR1);
    loop_run(l);
}

struct tenant {
    struct loop_guest guest;
    struct watch *watch;
    char *letter;
};

static void
move_out(struct loop_guest *g)
{
    struct tenant *t = CONTAINER_OF(g, struct tenant, guest);
    note(t->letter);
    loop_guest_leave(g);
    watch_free(t->watch);
}

TEST(loop_free_evicts_the_newest_first)
{
    static char letters[] = "ab";
    struct tenant a = {.letter = &letters[0]}, b = {.letter = &letters[1]};
    struct loop *l = loop_new();
    struct timer t;
    forget();
    loop_guest_enter(l, &a.guest, move_out);
    loop_guest_enter(l, &b.guest, move_out);
    a.watch = watch_new(l, STDIN_FILENO, 0, hear, NULL);
    timer_init(&t, l, note, &letters[0]);
    timer_set_in(&t, seconds(1));
    loop_free_later(l, xmalloc(10));
    loop_free(l);
    timer_cancel(&t);
    CHECK_STR(trail, "ba");
}

TESTS(timers_fire_in_order_of_time_then_of_setting, exactly_the_timers_that_are_due_fire,
      stopped_time_moves_only_by_warps, a_turn_is_bounded, a_task_may_cancel_its_neighbour,
      a_watch_pauses_goes_on_and_may_free_itself, calls_from_another_thread_all_arrive, a_signal_ends_the_loop,
      loop_free_evicts_the_newest_first)
