/* reconnect - when to try a connection again, when to ask the peer for a sign of life, when to give it up.
 *
 * Theory.  A pure state machine: the owner tells what happened and what time it is, and does what it is told.
 *
 *              WAITING --(due)--> CONNECTING --up()--> ACTIVE --(silence)--> PROBING --(silence)--> drop
 *                 ^                   |  failed            |  broken             |  heard(): ACTIVE
 *                 +------- down() ----+--------------------+---------------------+
 *
 *          The wait starts at 'min', doubles with each failure up to 'max', and falls back to 'min' after a connection that held
 *          longer than the wait before it.  The first 'free_tries' attempts are not delayed (one for each server of a list).
 * Time.    Brought by the caller.
 */
#ifndef IO_RECONNECT_H
#define IO_RECONNECT_H 1

#include "base/clock.h"

enum reconnect_state { RECONNECT_WAITING, RECONNECT_CONNECTING, RECONNECT_ACTIVE, RECONNECT_PROBING };
enum reconnect_act { RECONNECT_REST, RECONNECT_CONNECT, RECONNECT_PROBE, RECONNECT_DROP };

struct reconnect {
    enum reconnect_state state;
    instant since; /* when this state began; ACTIVE: when the peer was last heard */
    instant up_at; /* ACTIVE, PROBING: when the connection came up */
    span wait;     /* how long WAITING lasts, CONNECTING may last */
    span min, max, probe;
    unsigned free_tries;
};

void reconnect_init(struct reconnect *, span min, span max, span probe, unsigned free_tries, instant now);

/* What is due now.  CONNECT and PROBE have then begun; after DROP the owner closes the line and calls reconnect_down(). */
enum reconnect_act reconnect_run(struct reconnect *, instant now);
instant reconnect_next(const struct reconnect *); /* run again no later than this */

void reconnect_up(struct reconnect *, instant now);
void reconnect_heard(struct reconnect *, instant now);
void reconnect_down(struct reconnect *, instant now); /* failed, broken or dropped */
void reconnect_soon(struct reconnect *, instant now); /* the line is closed: try again without waiting */

#endif
