/* showlog - the records of a database file, for a person: what changed when, and why. */
#ifndef CLI_SHOWLOG_H
#define CLI_SHOWLOG_H 1

#include "base/why.h"
#include <stdio.h>

/* more 0: dates and comments; 1: the rows too; 2 and more: their columns. */
int show_log(const char *path, unsigned more, FILE *, struct why *);

#endif
