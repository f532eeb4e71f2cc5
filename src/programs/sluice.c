/* sluice - the command of a person, and the field's tools under their names: see cli/tools.c. */
#include "cli/tools.h"

int
main(int argc, char *argv[])
{
    return tools_main(argc, argv);
}
