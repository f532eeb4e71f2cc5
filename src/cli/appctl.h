/* appctl - ovs-appctl: one command to the control socket of a running program, and its answer. */
#ifndef CLI_APPCTL_H
#define CLI_APPCTL_H 1

/* Exit status: 0; 1 the program could not be asked; 2 it refused. */
int appctl_main(int argc, char *argv[]);

#endif
