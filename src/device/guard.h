/* guard - keeps the host's own stack from also taking the frames of a device that is ours.
 *
 * Theory.   A packet socket gets a frame before the tc ingress hook, the host's protocols get it behind; so a two-instruction program there that
 *           drops everything leaves us the only receiver.  It hangs on a tcx link, which the kernel removes when the descriptor closes,
 *           even after kill -9 (Linux 6.6 and later), before that and until then on a clsact qdisc, whose filter is taken away by guard_close() and
 *           found and replaced by the next guard_open().
 *           Turned down: nftables' netdev family (its ingress hook lies behind tc's, but needs a module and a table that others may flush); taking
 *           addresses and ARP off the device (the kernel still forwards and answers where another device has the address).
 * Time.     clsact costs 0.3 ms, a tcx link 13 ms (it waits for a grace period and holds the kernel's lock over all devices meanwhile).  So a
 *           guard begins on clsact and moves to tcx once things have become quiet for a moment (device/slow.h).
 * Limits.   A program that someone else hangs before ours and that lets frames pass without asking further (tcx "pass") defeats it.
 */
#ifndef DEVICE_GUARD_H
#define DEVICE_GUARD_H 1

#include "base/own.h"
#include "base/why.h"

struct guard;

/* 'why' holds the reason when the kernel refuses both ways: the host then takes part in what this device receives. */
int guard_open(unsigned ifindex, struct guard **, struct why *);
void guard_close(struct guard *); /* fine when the device is gone, and with NULL */
/* As guard_open(), by the second way only: for kernels before 6.6, and tests. */
int guard_open_clsact(unsigned ifindex, struct guard **, struct why *);

#endif
