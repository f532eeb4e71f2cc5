/* tls_private - what the settings (tls.c) and the connections (tls_layer.c) share. */
#ifndef IO_TLS_PRIVATE_H
#define IO_TLS_PRIVATE_H 1

#include "io/layer.h"
#include "io/openssl_late.h"
#include "io/tls.h"

const struct tls_config *tls_settings(void);
bool tls_trusts_everyone(void);
bool tls_may_bootstrap(void);
int tls_parse_protocols(const char *words, int *oldest, int *newest, struct why *);
/* The context of now; borrowed until the next call. */
int tls_context(SSL_CTX **, struct why *);

#endif
