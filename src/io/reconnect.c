#include "io/reconnect.h"

/* A server that does not answer within this is not there, however short the wait between attempts is. */
#define CONNECT_PATIENCE_MS 4000

static void
enter(struct reconnect *r, enum reconnect_state state, instant now)
{
    r->state = state;
    r->since = now;
}

void
reconnect_init(struct reconnect *r, span min, span max, span probe, unsigned free_tries, instant now)
{
    *r = (struct reconnect){.min = min, .max = max, .probe = probe, .free_tries = free_tries};
    enter(r, RECONNECT_WAITING, now);
}

instant
reconnect_next(const struct reconnect *r)
{
    switch (r->state) {
    case RECONNECT_WAITING:
        return instant_add(r->since, r->wait);
    case RECONNECT_CONNECTING:
        return instant_add(r->since, (span){MAX(r->wait.ns, millis(CONNECT_PATIENCE_MS).ns)});
    case RECONNECT_ACTIVE:
    case RECONNECT_PROBING:
        return r->probe.ns ? instant_add(r->since, r->probe) : INSTANT_NEVER;
    }
    NOT_REACHED();
}

enum reconnect_act
reconnect_run(struct reconnect *r, instant now)
{
    if (instant_before(now, reconnect_next(r)))
        return RECONNECT_REST;

    switch (r->state) {
    case RECONNECT_WAITING:
        enter(r, RECONNECT_CONNECTING, now);
        return RECONNECT_CONNECT;
    case RECONNECT_ACTIVE:
        enter(r, RECONNECT_PROBING, now);
        return RECONNECT_PROBE;
    case RECONNECT_CONNECTING:
    case RECONNECT_PROBING:
        return RECONNECT_DROP;
    }
    NOT_REACHED();
}

void
reconnect_up(struct reconnect *r, instant now)
{
    enter(r, RECONNECT_ACTIVE, now);
    r->up_at = now;
}

void
reconnect_heard(struct reconnect *r, instant now)
{
    if (r->state == RECONNECT_ACTIVE || r->state == RECONNECT_PROBING)
        enter(r, RECONNECT_ACTIVE, now);
}

void
reconnect_down(struct reconnect *r, instant now)
{
    bool was_up = r->state == RECONNECT_ACTIVE || r->state == RECONNECT_PROBING;

    if (r->state == RECONNECT_WAITING)
        return;
    if (r->free_tries) {
        r->free_tries--;
        r->wait = nanos(0);
    } else if (was_up && instant_since(now, r->up_at).ns > r->wait.ns && instant_since(now, r->up_at).ns > r->min.ns) {
        r->wait = r->min;
    } else {
        r->wait.ns = MIN(r->max.ns, MAX(r->min.ns, r->wait.ns * 2));
    }
    enter(r, RECONNECT_WAITING, now);
}

void
reconnect_soon(struct reconnect *r, instant now)
{
    r->wait = nanos(0);
    enter(r, RECONNECT_WAITING, now);
}
