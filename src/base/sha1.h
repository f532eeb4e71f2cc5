/* sha1 - the checksum in the header of a database file's records (FIPS 180-4).
 *
 * Use.     sha1(bytes, n, digest).  Where the other side decided for it; nothing of ours relies on it against an attacker.
 */
#ifndef BASE_SHA1_H
#define BASE_SHA1_H 1

#include "base/compiler.h"

#define SHA1_LEN 20

void sha1(const void *, size_t, uint8_t digest[SHA1_LEN]);

#endif
