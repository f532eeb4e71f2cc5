/* tools - every command of the executable 'sluice', in one table.
 *
 * Shape.   One entry: its name ("sluice NAME ..."), the field's program it answers for when the executable is called by that name, what
 *          words it takes, one line of help, and a main function.  What "sluice --help" prints is this table.
 */
#ifndef CLI_TOOLS_H
#define CLI_TOOLS_H 1

struct tool {
    const char *name;
    const char *program; /* "ovs-vsctl"; NULL: none */
    const char *arguments, *help;
    int (*main)(int argc, char *argv[]); /* argv[0] is the program's name, else the tool's; returns the exit status */
};

extern const struct tool tools[]; /* ends with a zero row */

/* Runs the tool that argv[0] (the last part of its path) or argv[1] names. */
int tools_main(int argc, char *argv[]);

#endif
