/* options - what the command line tools of this room share in reading their options. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H 1

#include "base/why.h"
#include <getopt.h>

/* Puts several tables, each ended by a zero row, into one of 'room' rows; returns it.  lists ends with NULL. */
struct option *options_join(struct option all[], size_t room, const struct option *const lists[]);

/* A number of seconds; 'what' names the option in the refusal. */
int timeout_parse(const char *word, const char *what, unsigned *seconds, struct why *);
/* What OVS_CTL_TIMEOUT says; 0: nothing, or nonsense. */
unsigned timeout_from_environment(void);

/* The time is up: says so as the field's tools do, and ends by SIGALRM.  For a timer: the argument is not used. */
void timeout_expire(void *unused);

#endif
