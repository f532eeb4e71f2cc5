/* openssl_late - see the header. */
#include "io/openssl_late.h"
#include <dlfcn.h>
#include <errno.h>

struct openssl_functions tls_fn;

static int
look_up(void *from, const char *name, void **to, struct why *why)
{
    *to = dlsym(from, name);
    return *to ? 0 : refuse(why, -ENOENT, "TLS needs OpenSSL 3: %s", dlerror());
}

int
openssl_load(struct why *why)
{
    static bool is_loaded;
    if (is_loaded)
        return 0;
    void *ssl = dlopen("libssl.so.3", RTLD_NOW | RTLD_LOCAL);
    void *crypto = ssl ? dlopen("libcrypto.so.3", RTLD_NOW | RTLD_LOCAL) : NULL;
    if (!crypto)
        return refuse(why, -ENOENT, "TLS needs OpenSSL 3: %s", dlerror());
    int err = 0;
#define FN(NAME) err = err ? err : look_up(ssl, #NAME, (void **) &tls_fn.NAME, why);
#define CRYPTO_FN(NAME) err = err ? err : look_up(crypto, #NAME, (void **) &tls_fn.NAME, why);
#include "io/openssl.def"
#undef FN
#undef CRYPTO_FN
    if (!err && !tls_fn.OPENSSL_init_ssl(OPENSSL_INIT_NO_ATEXIT, NULL))
        err = refuse(why, -EPROTO, "OpenSSL does not start");
    is_loaded = !err;
    return err;
}

const char *
openssl_error(void)
{
    unsigned long e = tls_fn.ERR_get_error();
    const char *reason = e ? tls_fn.ERR_reason_error_string(e) : NULL;
    static char text[256];
    if (!reason && e) {
        tls_fn.ERR_error_string_n(e, text, sizeof text);
        reason = text;
    }
    tls_fn.ERR_clear_error();
    return reason ? reason : "no reason given";
}
