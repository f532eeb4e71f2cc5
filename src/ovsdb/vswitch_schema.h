/* vswitch_schema - the schema Open_vSwitch, as vswitch.ovsschema beside this has it, carried in the program.
 *
 * Use.    Whoever must know tables and columns before a server told, or make a database where no file is at hand.
 */
#ifndef OVSDB_VSWITCH_SCHEMA_H
#define OVSDB_VSWITCH_SCHEMA_H 1

#include "ovsdb/schema.h"

struct schema *vswitch_schema_new(void);

#endif
