/* subcommand - the commands of a tool that takes one per run: ovsdb-tool, ovsdb-client.
 *
 * Shape.   One entry: name, how many arguments, what they are called, one line of help, and a function that returns the exit status, or
 *          -errno with 'why'.  What --help prints is the table.
 */
#ifndef CLI_SUBCOMMAND_H
#define CLI_SUBCOMMAND_H 1

#include "base/text.h"
#include "base/why.h"

struct subcommand {
    const char *name;
    int min_args, max_args;
    const char *arguments, *help;
    int (*run)(void *aux, int argc, char *argv[], struct why *); /* argv[0] is the command */
};

/* Finds the command of argv[0] and counts its arguments. */
int subcommand_find(const struct subcommand[], int argc, char *argv[], const struct subcommand **, struct why *);
void subcommand_usage(const struct subcommand[], struct text *);

#endif
