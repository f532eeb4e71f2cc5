/* tls - the keys and rules for every ssl: and pssl: stream of this process.
 *
 * Files are read again when they change.  Setting nothing and opening ssl: is refused with a sentence that names the options.
 * Options are those of ovsdb-server(1), "Public Key Infrastructure Options" and "SSL/TLS Configuration Options".
 */
#ifndef IO_TLS_H
#define IO_TLS_H 1

#include "base/why.h"

struct tls_config {
    const char *private_key, *certificate, *ca_cert; /* paths; ca_cert "none" disables the check of the peer */
    bool bootstrap_ca_cert;                          /* take the peer's CA on first contact and write it to ca_cert */
    const char *peer_ca_cert;
    const char *protocols;    /* "TLSv1.2,TLSv1.3", "TLSv1.3", "TLSv1.2+", ... ; NULL: 1.2 and later */
    const char *ciphers;      /* TLS 1.2 */
    const char *ciphersuites; /* TLS 1.3 */
    const char *server_name;  /* SNI; NULL: the host of the target */
};

/* Copies.  The next connection uses it; open ones go on as they are. */
void tls_configure(const struct tls_config *);

#endif
