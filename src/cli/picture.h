/* picture - what an instance is connected to right now, in plain fields: for 'sluice status', as text and as JSON.
 *
 * Use.     p = picture_take(in, interval, &why);  picture_print(p, &text) or picture_json(p);  picture_free(p)
 * Shape.   Configuration and states come from the database, counters and learned addresses from the switch's control socket, in the field's
 *          formats (fdb/show, dpctl/show -s), so that it works for any switch of the field; drops by name only ours can tell.
 *          Rates are the difference of two readings 'interval' apart; 0: there are none.
 */
#ifndef CLI_PICTURE_H
#define CLI_PICTURE_H 1

#include "base/clock.h"
#include "base/own.h"
#include "base/text.h"
#include "base/vec.h"
#include "cli/instance.h"
#include <jansson.h>

struct pic_learned {
    unsigned vlan;
    char mac[18];
};

struct pic_counters {
    bool known;
    uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes;
};

struct pic_interface {
    char *name, *type, *error;       /* error NULL: none */
    char *admin, *link;              /* "up", "down", NULL: not known */
    int64_t ofport, speed_bps, mtu;  /* -1: not known */
    struct pic_counters total, rate; /* rate: per second */
};

struct pic_port {
    char *name;
    char *vlan; /* "5", "trunk 5,7", "all", ... */
    VEC(struct pic_interface) interfaces;
    VEC(struct pic_learned) learned;
};

struct pic_bridge {
    char *name, *type, *fail_mode;
    VEC(char *) controllers; /* "tcp:... (connected)" */
    VEC(struct pic_port) ports;
};

struct pic_drop {
    char *name, *meaning;
    uint64_t packets;
};

struct picture {
    char *run, *version;
    pid_t supervisor, db, switch_; /* 0: does not run */
    VEC(struct pic_bridge) bridges;
    VEC(struct pic_drop) drops; /* those that happened */
};

/* -ESRCH: nothing runs.  A switch that does not answer leaves gaps, no error. */
int picture_take(const struct instance *, span interval, struct picture **, struct why *);
void picture_free(struct picture *); /* NULL is fine */
OWN(picture);

void picture_print(const struct picture *, struct text *);
json_t *picture_json(const struct picture *);

/* The field's formats.  Lines that are none are passed over. */
void picture_read_fdb(struct pic_bridge *, const char *fdb_show);
/* Into 'total' of each interface that is named. */
void picture_read_counters(struct picture *, const char *dpctl_show);

#endif
