/* ofctl - ovs-ofctl: rules of a switch, by OpenFlow.
 *
 * Of the field's commands those about rules are here (see 'commands' in ofctl.c and --help); the others are refused by name.
 */
#ifndef CLI_OFCTL_H
#define CLI_OFCTL_H 1

int ofctl_main(int argc, char *argv[]);

#endif
