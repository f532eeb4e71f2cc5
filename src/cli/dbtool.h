/* dbtool - ovsdb-tool: makes, converts, compacts and reads database files without a server.
 *
 * Clustered files are recognised and their header can be read; what needs the contents of one is refused.
 */
#ifndef CLI_DBTOOL_H
#define CLI_DBTOOL_H 1

/* Exit status: 0; 1 a refusal; 2 the answer "no" of db-is-*, compare-versions. */
int dbtool_main(int argc, char *argv[]);

#endif
