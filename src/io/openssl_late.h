/* openssl_late - OpenSSL, but only once somebody wants TLS.
 *
 * Theory.  Linked in the ordinary way the two libraries cost every start of every program one to two milliseconds and 1.8 MB of
 *          resident memory (doc/dependencies.md), and most never say a word of TLS.  So the functions are looked up in a table when
 *          openssl_load() is first called.  The types come from OpenSSL's own headers: a wrong use does not compile.
 * Use.     if (openssl_load(why)) return ...;   ssl = tls_fn.SSL_new(ctx);
 * Threads. The loop's.
 */
#ifndef IO_OPENSSL_LATE_H
#define IO_OPENSSL_LATE_H 1

#include "base/why.h"
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

struct openssl_functions {
#define FN(NAME) __typeof__(&NAME) NAME;
#define CRYPTO_FN(NAME) FN(NAME)
#include "io/openssl.def"
#undef FN
#undef CRYPTO_FN
};

extern struct openssl_functions tls_fn; /* filled by openssl_load() */

/* -ENOENT with 'why': OpenSSL 3 is not installed. */
int openssl_load(struct why *);
/* The oldest error of the queue, as a person reads it; empties the queue. */
const char *openssl_error(void);

#endif
