/* reference - runs a program of actions over a frame in the plainest way: the truth that faster executors are held against.
 *
 * Every step copies; nothing is shared, nothing is lazy.  An action it does not know stops the program that runs it.
 */
#ifndef SIM_REFERENCE_H
#define SIM_REFERENCE_H 1

#include "datapath/action.h"

#define REFERENCE_MAX 2048

/* 'door' DPPORT_NONE: a copy for the control thread. */
typedef void reference_emit(void *aux, dpport door, const uint8_t *frame, size_t len);

void reference_run(const void *actions, size_t n, const uint8_t *frame, size_t len, reference_emit *, void *aux);

#endif
