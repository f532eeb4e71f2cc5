/* tls_layer - one TLS connection between a stream and its socket.
 *
 * Bootstrap. The first contact of a client that has no CA certificate yet: the handshake accepts anyone; then the last certificate
 *            of the chain the peer sent must be self-signed, the peer's own certificate must verify against it, and it is written to
 *            the file, which nobody must have made meanwhile.  From then on it is trusted like any other.
 */
#include "base/log.h"
#include "base/mem.h"
#include "io/tls_private.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

LOG_MODULE(tls_layer)

struct tls_layer {
    struct layer layer;
    SSL *ssl;
    bool is_client, bootstraps, is_broken; /* broken: nothing may be said any more, not even goodbye */
    char cn[256];
};

static struct tls_layer *
tls_of(struct layer *l)
{
    return CONTAINER_OF(l, struct tls_layer, layer);
}

/* What a call of OpenSSL that gave 'ret' means: -EAGAIN with 'wants', 0 for an orderly end, or an error. */
static int
judge(struct tls_layer *t, int ret)
{
    int saved = errno;
    switch (tls_fn.SSL_get_error(t->ssl, ret)) {
    case SSL_ERROR_WANT_READ:
        t->layer.wants = UV_READABLE;
        return -EAGAIN;
    case SSL_ERROR_WANT_WRITE:
        t->layer.wants = UV_WRITABLE;
        return -EAGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    case SSL_ERROR_SYSCALL:
        t->is_broken = true;
        return saved ? -saved : -ECONNRESET;
    default:
        t->is_broken = true;
        return -EPROTO;
    }
}

/* ---- bootstrap ---- */

static int
verify_against(X509 *ca, SSL *ssl, struct why *why)
{
    X509_STORE *store = tls_fn.X509_STORE_new();
    X509_STORE_CTX *check = tls_fn.X509_STORE_CTX_new();
    X509 *peer = tls_fn.SSL_get1_peer_certificate(ssl);
    int err = 0;
    if (!store || !check || !peer || tls_fn.X509_STORE_add_cert(store, ca) != 1 ||
        tls_fn.X509_STORE_CTX_init(check, store, peer, tls_fn.SSL_get_peer_cert_chain(ssl)) != 1 ||
        tls_fn.X509_verify_cert(check) != 1)
        err =
            refuse(why, -EPROTO, "could not bootstrap the CA certificate: what the peer sent did not sign it (%s)",
                   check ? tls_fn.X509_verify_cert_error_string(tls_fn.X509_STORE_CTX_get_error(check)) : "no memory");
    tls_fn.X509_STORE_CTX_free(check);
    tls_fn.X509_STORE_free(store);
    tls_fn.X509_free(peer);
    return err;
}

static int
write_certificate(X509 *cert, const char *path, struct why *why)
{
    AUTO_STR char *tmp = xasprintf("%s.tmp%ld", path, (long) getpid());
    BIO *file = tls_fn.BIO_new_file(tmp, "w");
    bool ok = file && tls_fn.PEM_write_bio_X509(file, cert) == 1;
    tls_fn.BIO_free(file);
    /* link() and not rename(): who was there first wins, and who comes second connects again with that one. */
    int err = !ok || link(tmp, path) ? -errno : 0;
    unlink(tmp);
    return err ? refuse(why, err, "%s: could not bootstrap the CA certificate (%s)", path, strerror(-err)) : 0;
}

static int
bootstrap(struct tls_layer *t, struct why *why)
{
    const char *path = tls_settings()->ca_cert;
    STACK_OF(X509) *chain = tls_fn.SSL_get_peer_cert_chain(t->ssl);
    int n = chain ? tls_fn.OPENSSL_sk_num((const OPENSSL_STACK *) chain) : 0;
    X509 *last = n ? tls_fn.OPENSSL_sk_value((const OPENSSL_STACK *) chain, n - 1) : NULL;
    if (!last)
        return refuse(why, -EPROTO, "could not bootstrap the CA certificate: no certificate presented by peer");
    if (tls_fn.X509_NAME_cmp(tls_fn.X509_get_subject_name(last), tls_fn.X509_get_issuer_name(last)))
        return refuse(why, -EPROTO,
                      "could not bootstrap the CA certificate: the peer sent no self-signed one (its --peer-ca-cert)");
    int err = verify_against(last, t->ssl, why);
    err = err ? err : write_certificate(last, path, why);
    if (!err)
        log_info("successfully bootstrapped CA cert to %s", path);
    return err;
}

/* ---- the layer ---- */

static void
note_peer(struct tls_layer *t)
{
    X509 *peer = tls_fn.SSL_get1_peer_certificate(t->ssl);
    if (peer &&
        tls_fn.X509_NAME_get_text_by_NID(tls_fn.X509_get_subject_name(peer), NID_commonName, t->cn, sizeof t->cn) > 0)
        t->layer.peer_cn = t->cn;
    tls_fn.X509_free(peer);
}

static int
handshake(struct layer *l, struct why *why)
{
    struct tls_layer *t = tls_of(l);
    tls_fn.ERR_clear_error();
    errno = 0;
    int ret = tls_fn.SSL_do_handshake(t->ssl);
    if (ret == 1) {
        int err = t->bootstraps ? bootstrap(t, why) : 0;
        if (!err)
            note_peer(t);
        return err;
    }
    int err = judge(t, ret);
    if (err == -EAGAIN)
        return err;
    t->is_broken = true;
    long verdict = tls_fn.SSL_get_verify_result(t->ssl);
    const char *reason = err == -EPROTO ? openssl_error() : strerror(err ? -err : ECONNRESET);
    refuse(why, 0, "SSL_%s: %s%s%s", t->is_client ? "connect" : "accept", reason, verdict != X509_V_OK ? ": " : "",
           verdict != X509_V_OK ? tls_fn.X509_verify_cert_error_string(verdict) : "");
    return err ? err : -ECONNRESET;
}

static ssize_t
tls_read(struct layer *l, void *bytes, size_t n)
{
    struct tls_layer *t = tls_of(l);
    tls_fn.ERR_clear_error();
    errno = 0;
    int ret = tls_fn.SSL_read(t->ssl, bytes, MIN(n, (size_t) INT32_MAX));
    return ret > 0 ? ret : judge(t, ret);
}

static ssize_t
tls_write(struct layer *l, const void *bytes, size_t n)
{
    struct tls_layer *t = tls_of(l);
    tls_fn.ERR_clear_error();
    errno = 0;
    int ret = tls_fn.SSL_write(t->ssl, bytes, MIN(n, (size_t) INT32_MAX));
    if (ret > 0)
        return ret;
    int err = judge(t, ret);
    return err ? err : -EPIPE;
}

static void
tls_free(struct layer *l)
{
    struct tls_layer *t = tls_of(l);
    if (!t->is_broken)
        tls_fn.SSL_shutdown(t->ssl); /* says goodbye if the socket takes it, and does not wait for an answer */
    tls_fn.SSL_free(t->ssl);
    tls_fn.ERR_clear_error();
    free(t);
}

static const struct layer_ops ops = {handshake, tls_read, tls_write, tls_free};

static bool
is_address(const char *host)
{
    struct in6_addr a;
    return inet_pton(AF_INET, host, &a) == 1 || inet_pton(AF_INET6, host, &a) == 1;
}

int
tls_layer_new(int fd, const char *host, struct layer **out, struct why *why)
{
    SSL_CTX *ctx = NULL;
    int err = tls_context(&ctx, why);
    if (err)
        return err;
    SSL *ssl = tls_fn.SSL_new(ctx);
    if (!ssl || tls_fn.SSL_set_fd(ssl, fd) != 1) {
        tls_fn.SSL_free(ssl);
        return refuse(why, -ENOMEM, "no TLS connection (%s)", openssl_error());
    }
    struct tls_layer *t = xzalloc(sizeof *t);
    *t = (struct tls_layer){.layer = {.ops = &ops, .wants = UV_READABLE}, .ssl = ssl, .is_client = host != NULL};
    if (host) {
        const char *name = tls_settings()->server_name ? tls_settings()->server_name : host;
        if (!is_address(name))
            tls_fn.SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, (void *) name);
        t->bootstraps = tls_may_bootstrap() && access(tls_settings()->ca_cert, F_OK);
        if (t->bootstraps)
            tls_fn.SSL_set_verify(ssl, SSL_VERIFY_NONE, NULL);
        tls_fn.SSL_set_connect_state(ssl);
    } else {
        tls_fn.SSL_set_accept_state(ssl);
    }
    *out = &t->layer;
    return 0;
}
