/* unixctl_private - what the two halves of the control socket's server share. */
#ifndef IO_UNIXCTL_PRIVATE_H
#define IO_UNIXCTL_PRIVATE_H 1

#include "io/unixctl.h"

void unixctl_register_standard(void); /* version, list-commands, set-options, vlog/ *, coverage/ *, memory/show */
void unixctl_list_commands(struct text *);
void unixctl_set_json(struct unixctl_conn *, bool wants_json);

#endif
