/* controllers - the ones that the database names: active ones are called again and again with growing pauses, passive ones are waited for. */
#include "controller/conn.h"
#include "base/log.h"
#include "base/mem.h"
#include <stdlib.h>
#include <string.h>

LOG_MODULE(connmgr)

/* Three probes of the usual five seconds, as the field has it. */
#define ALONE_AFTER seconds(15)
#define BACKOFF_MIN seconds(1)
#define BACKOFF_MAX seconds(8)

struct controller {
    struct connmgr *connmgr;
    char *target;
    struct conn *conn;         /* NULL: none now */
    struct listener *listener; /* of a passive one */
    struct timer again;
    span backoff;
    char *last_error;
};

static void
call(void *c_)
{
    struct controller *c = c_;
    struct why why = {""};
    static const struct stream_ops none;
    struct stream *s = stream_connect(c->connmgr->loop, c->target, &none, NULL, &why);
    if (!s) {
        free(c->last_error);
        c->last_error = xstrdup(why.text);
        return;
    }
    c->conn = conn_new(c->connmgr, s, c);
}

void
controller_lost(struct controller *c, struct conn *conn, int err)
{
    if (c->conn == conn)
        c->conn = NULL;
    free(c->last_error);
    c->last_error = err ? xstrdup(strerror(-err)) : NULL;
    controllers_count(c->connmgr);
    if (c->listener)
        return;
    c->backoff = nanos(MIN(MAX(c->backoff.ns * 2, BACKOFF_MIN.ns), BACKOFF_MAX.ns));
    timer_set_in(&c->again, c->backoff);
}

void
controllers_count(struct connmgr *a)
{
    struct conn *c;
    bool any = false;
    a->ops->controllers_changed(a->aux);
    LIST_FOR (c, in_connmgr, &a->conns)
        any |= c->controller && c->version;
    if (any) {
        timer_cancel(&a->alone);
        bridge_set_controlled(a->bridge, true);
    } else if (instant_before(instant_add(loop_now(a->loop), ALONE_AFTER), a->alone.due)) {
        timer_set_in(&a->alone, ALONE_AFTER);
    }
}

static void
accepted(void *c_, struct stream *s)
{
    struct controller *c = c_;
    conn_new(c->connmgr, s, NULL)->wants_async = false;
}

static struct controller *
controller_new(struct connmgr *a, const char *target)
{
    struct controller *c = xzalloc(sizeof *c);
    struct why why = {""};
    c->connmgr = a;
    c->target = xstrdup(target);
    timer_init(&c->again, a->loop, call, c);
    if (!target_is_passive(target)) {
        timer_set_in(&c->again, nanos(0));
    } else if (listener_open(a->loop, target, accepted, c, &c->listener, &why)) {
        log_warn("%s: cannot listen for controllers (%s)", bridge_name(a->bridge), why.text);
        c->last_error = xstrdup(why.text);
    }
    return c;
}

static void
controller_free(struct controller *c)
{
    timer_cancel(&c->again);
    listener_close(c->listener);
    conn_free(c->conn);
    free(c->last_error);
    free(c->target);
    free(c);
}

static bool
is_among(const char *target, const char *const *targets, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(target, targets[i]))
            return true;
    return false;
}

void
controllers_configure(struct connmgr *a, const char *const *targets, size_t n)
{
    for (size_t i = a->controllers.n; i-- > 0;)
        if (!is_among(a->controllers.at[i]->target, targets, n)) {
            controller_free(a->controllers.at[i]);
            vec_remove(&a->controllers, i);
        }
    for (size_t i = 0; i < n; i++) {
        bool there = false;
        for (size_t k = 0; k < a->controllers.n; k++)
            there |= !strcmp(a->controllers.at[k]->target, targets[i]);
        if (!there)
            vec_push(&a->controllers, controller_new(a, targets[i]));
    }
}

bool
connmgr_controller_status(const struct connmgr *a, const char *target, struct connmgr_status *s)
{
    for (size_t i = 0; i < a->controllers.n; i++) {
        const struct controller *c = a->controllers.at[i];
        if (strcmp(c->target, target))
            continue;
        static const char *const roles[] = {"other", "other", "master", "slave"};
        *s = (struct connmgr_status){.is_connected = c->conn && c->conn->version,
                                     .version = c->conn ? c->conn->version : 0,
                                     .state = c->conn && c->conn->version ? "ACTIVE"
                                              : c->conn                   ? "CONNECTING"
                                              : c->listener               ? "IDLE"
                                                                          : "BACKOFF",
                                     .last_error = c->last_error,
                                     .role = roles[c->conn ? c->conn->role : ROLE_EQUAL]};
        return true;
    }
    return false;
}
