/* tls - the settings of this process, and the context that OpenSSL makes of them.
 *
 * Theory.  One context serves both sides.  It is built when a connection needs it and built again when the settings or any of the files have
 *          changed since (inode, size, time).  If the new files cannot be used, a half-written certificate say, the old context
 *          stays in service and the log says so: a daemon does not lose its clients to a careless copy.
 * Trust.   The peer must show a certificate that the CA signed, on both sides; names in it are not compared with the target, as
 *          in the whole field.  ca_cert "none" trusts everyone.
 */
#include "io/tls.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/tls_private.h"
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

LOG_MODULE(stream_ssl)

enum { KEY, CERTIFICATE, CA, PEER_CA, N_FILES };

struct stamp {
    dev_t dev;
    ino_t ino;
    off_t size;
    struct timespec changed;
};

static struct {
    struct tls_config config;
    char *owned[9];
    bool has_changed; /* since 'ctx' was built */
    SSL_CTX *ctx;
    struct stamp stamps[N_FILES];
} tls;

/* ---- settings ---- */

static const char *
own(size_t i, const char *s)
{
    return tls.owned[i] = s ? xstrdup(s) : NULL;
}

void
tls_configure(const struct tls_config *c)
{
    char *old[ARRAY_SIZE(tls.owned)];
    memcpy(old, tls.owned, sizeof old); /* 'c' may be made of them */
    tls.config = (struct tls_config){.private_key = own(0, c->private_key),
                                     .certificate = own(1, c->certificate),
                                     .ca_cert = own(2, c->ca_cert),
                                     .bootstrap_ca_cert = c->bootstrap_ca_cert,
                                     .peer_ca_cert = own(3, c->peer_ca_cert),
                                     .protocols = own(4, c->protocols),
                                     .ciphers = own(5, c->ciphers),
                                     .ciphersuites = own(6, c->ciphersuites),
                                     .server_name = own(7, c->server_name)};
    for (size_t i = 0; i < ARRAY_SIZE(old); i++)
        free(old[i]);
    tls.has_changed = true;
}

const struct tls_config *
tls_settings(void)
{
    return &tls.config;
}

bool
tls_trusts_everyone(void)
{
    return tls.config.ca_cert && !strcmp(tls.config.ca_cert, "none");
}

bool
tls_may_bootstrap(void)
{
    return tls.config.bootstrap_ca_cert && !tls_trusts_everyone();
}

int
tls_check_settings(struct why *why)
{
    const struct tls_config *c = &tls.config;
    if (!c->private_key)
        return refuse(why, -ENOPROTOOPT, "Private key must be configured to use SSL/TLS (--private-key)");
    if (!c->certificate)
        return refuse(why, -ENOPROTOOPT, "Certificate must be configured to use SSL/TLS (--certificate)");
    if (!c->ca_cert)
        return refuse(why, -ENOPROTOOPT,
                      "CA certificate must be configured to use SSL/TLS (--ca-cert or --bootstrap-ca-cert)");
    return 0;
}

/* "TLSv1.2,TLSv1.3", "TLSv1.2+": the oldest and the newest allowed.  TLS 1.0 and 1.1 in a list from older days are passed over. */
int
tls_parse_protocols(const char *words, int *oldest, int *newest, struct why *why)
{
    static const struct {
        const char *name;
        int version;
    } known[] = {{"TLSv1", 0}, {"TLSv1.1", 0}, {"TLSv1.2", TLS1_2_VERSION}, {"TLSv1.3", TLS1_3_VERSION}};
    AUTO_STR char *copy = xstrdup(words ? words : "TLSv1.2+");
    int low = 0, high = 0;
    char *save = NULL;
    for (char *w = strtok_r(copy, " ,\t", &save); w; w = strtok_r(NULL, " ,\t", &save)) {
        size_t n = strlen(w), i = 0;
        bool and_later = w[n - 1] == '+';
        w[n - and_later] = 0;
        while (i < ARRAY_SIZE(known) && strcasecmp(w, known[i].name))
            i++;
        if (i == ARRAY_SIZE(known))
            return refuse(why, -EINVAL, "%s: SSL/TLS protocol not recognized", w);
        int version = known[i].version ? known[i].version : and_later ? TLS1_2_VERSION : 0;
        if (version && (!low || version < low))
            low = version;
        high = and_later ? TLS1_3_VERSION : MAX(high, version);
    }
    if (!low)
        return refuse(why, -EINVAL, "%s: names no protocol that is still in use (TLSv1.2, TLSv1.3)", words);
    *oldest = low;
    *newest = high;
    return 0;
}

/* ---- the context ---- */

static const char *
file_of(int which)
{
    const struct tls_config *c = &tls.config;
    const char *const files[N_FILES] = {c->private_key, c->certificate, tls_trusts_everyone() ? NULL : c->ca_cert,
                                        c->peer_ca_cert};
    return files[which];
}

static struct stamp
stamp_of(const char *path)
{
    struct stat st;
    struct stamp s;
    memset(&s, 0, sizeof s);
    if (path && !stat(path, &st)) {
        s.dev = st.st_dev;
        s.ino = st.st_ino;
        s.size = st.st_size;
        s.changed = st.st_mtim;
    }
    return s;
}

/* Notes what the files are now; true if any is another than before. */
static bool
have_files_changed(void)
{
    bool changed = false;
    for (int i = 0; i < N_FILES; i++) {
        struct stamp now = stamp_of(file_of(i));
        changed |= memcmp(&now, &tls.stamps[i], sizeof now) != 0;
        tls.stamps[i] = now;
    }
    return changed;
}

static int
no_password(char *room, int size, int for_writing, void *aux)
{
    return -1; /* a daemon cannot ask */
}

static int
use_own_certificate(SSL_CTX *ctx, struct why *why)
{
    const struct tls_config *c = &tls.config;
    if (tls_fn.SSL_CTX_use_PrivateKey_file(ctx, c->private_key, SSL_FILETYPE_PEM) != 1)
        return refuse(why, -EINVAL, "%s: not usable as a private key (%s)", c->private_key, openssl_error());
    if (tls_fn.SSL_CTX_use_certificate_chain_file(ctx, c->certificate) != 1)
        return refuse(why, -EINVAL, "%s: not usable as a certificate (%s)", c->certificate, openssl_error());
    if (tls_fn.SSL_CTX_check_private_key(ctx) != 1)
        return refuse(why, -EINVAL, "Private key does not match certificate public key: %s", openssl_error());
    return 0;
}

/* Certificates that are sent along with ours, so that a peer that bootstraps finds the CA among them. */
static int
use_peer_ca(SSL_CTX *ctx, struct why *why)
{
    const char *path = tls.config.peer_ca_cert;
    BIO *file = path ? tls_fn.BIO_new_file(path, "r") : NULL;
    unsigned n = 0;
    if (!path)
        return 0;
    for (X509 *cert; file && (cert = tls_fn.PEM_read_bio_X509(file, NULL, NULL, NULL)); n++)
        if (tls_fn.SSL_CTX_ctrl(ctx, SSL_CTRL_EXTRA_CHAIN_CERT, 0, cert) != 1) /* takes it */
            tls_fn.X509_free(cert);
    tls_fn.BIO_free(file);
    const char *reason = openssl_error(); /* the end of a PEM file is an error to OpenSSL: forget it */
    return n ? 0 : refuse(why, -EINVAL, "%s: no certificate in it (%s)", path, reason);
}

static int
use_ca(SSL_CTX *ctx, struct why *why)
{
    const char *path = file_of(CA);
    if (!path) {
        tls_fn.SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
        return 0;
    }
    tls_fn.SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    struct stat st;
    if (tls_may_bootstrap() && stat(path, &st) && errno == ENOENT)
        return 0; /* tls_layer.c takes it from the first peer */
    if (tls_fn.SSL_CTX_load_verify_file(ctx, path) != 1)
        return refuse(why, -EINVAL, "%s: not usable as a CA certificate (%s)", path, openssl_error());
    STACK_OF(X509_NAME) *names = tls_fn.SSL_load_client_CA_file(path);
    if (names)
        tls_fn.SSL_CTX_set_client_CA_list(ctx, names); /* takes it */
    tls_fn.ERR_clear_error();
    return 0;
}

static int
use_rules(SSL_CTX *ctx, struct why *why)
{
    const struct tls_config *c = &tls.config;
    int oldest, newest;
    int err = tls_parse_protocols(c->protocols, &oldest, &newest, why);
    if (err)
        return err;
    tls_fn.SSL_CTX_ctrl(ctx, SSL_CTRL_SET_MIN_PROTO_VERSION, oldest, NULL);
    tls_fn.SSL_CTX_ctrl(ctx, SSL_CTRL_SET_MAX_PROTO_VERSION, newest, NULL);
    if (tls_fn.SSL_CTX_set_cipher_list(ctx, c->ciphers ? c->ciphers : "DEFAULT:@SECLEVEL=2") != 1)
        return refuse(why, -EINVAL, "%s: no such ciphers (%s)", c->ciphers, openssl_error());
    if (c->ciphersuites && tls_fn.SSL_CTX_set_ciphersuites(ctx, c->ciphersuites) != 1)
        return refuse(why, -EINVAL, "%s: no such ciphersuites (%s)", c->ciphersuites, openssl_error());
    return 0;
}

static int
build(SSL_CTX **out, struct why *why)
{
    SSL_CTX *ctx = tls_fn.SSL_CTX_new(tls_fn.TLS_method());
    if (!ctx)
        return refuse(why, -ENOMEM, "no TLS context (%s)", openssl_error());
    /* Connections are long: no resumption, nothing kept for it, no renegotiation; buffers only while they hold something. */
    tls_fn.SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET | SSL_OP_IGNORE_UNEXPECTED_EOF);
    tls_fn.SSL_CTX_set_num_tickets(ctx, 0);
    tls_fn.SSL_CTX_ctrl(ctx, SSL_CTRL_SET_SESS_CACHE_MODE, SSL_SESS_CACHE_OFF, NULL);
    tls_fn.SSL_CTX_ctrl(ctx, SSL_CTRL_MODE,
                        SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS,
                        NULL);
    tls_fn.SSL_CTX_set_default_passwd_cb(ctx, no_password);
    int err = use_rules(ctx, why);
    err = err ? err : use_own_certificate(ctx, why);
    err = err ? err : use_peer_ca(ctx, why);
    err = err ? err : use_ca(ctx, why);
    if (err)
        tls_fn.SSL_CTX_free(ctx);
    else
        *out = ctx;
    return err;
}

int
tls_context(SSL_CTX **out, struct why *why)
{
    int err = tls_check_settings(why);
    err = err ? err : openssl_load(why);
    if (err)
        return err;
    bool settings_changed = tls.has_changed, files_changed = have_files_changed();
    if (!tls.ctx || settings_changed || files_changed) {
        SSL_CTX *fresh = NULL;
        struct why refusal;
        err = build(&fresh, &refusal);
        if (err && (!tls.ctx || settings_changed))
            return refuse(why, err, "%s", refusal.text);
        if (err) {
            log_warn("%s; the files read before stay in use", refusal.text);
        } else {
            tls_fn.SSL_CTX_free(tls.ctx); /* connections hold references of their own */
            tls.ctx = fresh;
            tls.has_changed = false;
        }
    }
    *out = tls.ctx;
    return 0;
}
