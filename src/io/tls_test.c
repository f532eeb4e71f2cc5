/* TLS between two processes with certificates made for the occasion: who is let in, who is not, and what changes while running. */
#include "io/tls.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/test.h"
#include "base/text.h"
#include "io/stream.h"
#include "io/tls_private.h"
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char dir[] = "/tmp/io_tls_XXXXXX";

/* ---- certificates ---- */

struct identity {
    EVP_PKEY *key;
    X509 *cert;
};

static char *
path_of(const char *name)
{
    return xasprintf("%s/%s", dir, name);
}

static struct identity
make_identity(const char *cn, const struct identity *issuer)
{
    static long serial = 1;
    struct identity id = {EVP_EC_gen("P-256"), X509_new()};
    X509_set_version(id.cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(id.cert), serial++);
    X509_gmtime_adj(X509_getm_notBefore(id.cert), -3600);
    X509_gmtime_adj(X509_getm_notAfter(id.cert), 3600);
    X509_set_pubkey(id.cert, id.key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(id.cert), "CN", MBSTRING_ASC, (const uint8_t *) cn, -1, -1, 0);
    X509_set_issuer_name(id.cert, X509_get_subject_name(issuer ? issuer->cert : id.cert));
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer ? issuer->cert : id.cert, id.cert, NULL, NULL, 0);
    X509_EXTENSION *ext =
        X509V3_EXT_conf_nid(NULL, &ctx, NID_basic_constraints, issuer ? "CA:FALSE" : "critical,CA:TRUE");
    X509_add_ext(id.cert, ext, -1);
    X509_EXTENSION_free(ext);
    CHECK(X509_sign(id.cert, issuer ? issuer->key : id.key, EVP_sha256()));
    return id;
}

static void
write_identity(const char *name, const struct identity *id)
{
    AUTO_STR char *key = xasprintf("%s/%s.key", dir, name);
    AUTO_STR char *cert = xasprintf("%s/%s.cert", dir, name);
    BIO *b = BIO_new_file(key, "w");
    PEM_write_bio_PrivateKey(b, id->key, NULL, NULL, 0, NULL, NULL);
    BIO_free(b);
    b = BIO_new_file(cert, "w");
    PEM_write_bio_X509(b, id->cert);
    BIO_free(b);
}

static void
free_identity(struct identity *id)
{
    EVP_PKEY_free(id->key);
    X509_free(id->cert);
}

static struct identity ca, other_ca;

static void
make_files(void)
{
    ca = make_identity("our ca", NULL);
    other_ca = make_identity("their ca", NULL);
    struct identity server = make_identity("server 1", &ca), client = make_identity("client 7", &ca),
                    stranger = make_identity("stranger", &other_ca);
    write_identity("ca", &ca);
    write_identity("other_ca", &other_ca);
    write_identity("server", &server);
    write_identity("client", &client);
    write_identity("stranger", &stranger);
    free_identity(&server);
    free_identity(&client);
    free_identity(&stranger);
}

/* Settings out of the names of files in 'dir'; a NULL stays. */
static void
configure(const char *name, const char *trusted, bool bootstraps, const char *sent, struct tls_config rest)
{
    AUTO_STR char *key = xasprintf("%s/%s.key", dir, name);
    AUTO_STR char *cert = xasprintf("%s/%s.cert", dir, name);
    AUTO_STR char *trusted_path = !strcmp(trusted, "none") ? xstrdup(trusted) : path_of(trusted);
    AUTO_STR char *sent_path = sent ? path_of(sent) : NULL;
    rest.private_key = key;
    rest.certificate = cert;
    rest.ca_cert = trusted_path;
    rest.bootstrap_ca_cert = bootstraps;
    rest.peer_ca_cert = sent_path;
    tls_configure(&rest);
}

#define NOTHING_ELSE ((struct tls_config){.protocols = NULL})

/* ---- the server: says back what it hears, "CN>" before it ---- */

static struct loop *loop;
static struct listener *listener;
static unsigned n_refused;
static size_t n_heard;

static void
server_received(void *s, const void *bytes, size_t n)
{
    if (!n_heard) {
        stream_write(s, stream_peer_cn(s) ? stream_peer_cn(s) : "nobody",
                     stream_peer_cn(s) ? strlen(stream_peer_cn(s)) : 6);
        stream_write(s, ">", 1);
    }
    n_heard += n;
    stream_write(s, bytes, n);
}

static void
server_closed(void *s, int err)
{
    n_refused += err != 0;
    stream_close(s);
}

static void
accepted(void *aux, struct stream *s)
{
    static const struct stream_ops ops = {.received = server_received, .closed = server_closed};
    n_heard = 0;
    stream_set_ops(s, &ops, s);
}

static void
stop(void *l)
{
    loop_stop(l);
}

static void
start(void)
{
    struct why why;
    loop = loop_new();
    loop_on_signal(loop, SIGCHLD, stop, loop);
    n_refused = 0;
    int err = listener_open(loop, "pssl:0:127.0.0.1", accepted, NULL, &listener, &why);
    if (err)
        print_error("%s\n", why.text);
    CHECK_EQ(err, 0);
}

static void
finish(void)
{
    listener_close(listener);
    loop_free(loop);
}

/* ---- the client, a process of its own: status 0 if it heard what it expected, 1 if it was refused ---- */

struct client {
    struct loop *loop;
    struct stream *stream;
    struct text heard;
    size_t n_expected;
    int status;
};

static void
client_connected(void *c_)
{
    struct client *c = c_;
    AUTO_TEXT struct text t = TEXT_INIT;
    text_pad(&t, 'x', c->n_expected);
    stream_write(c->stream, text_str(&t), t.len);
}

static void
client_received(void *c_, const void *bytes, size_t n)
{
    struct client *c = c_;
    text_addn(&c->heard, bytes, n);
    const char *body = strchr(text_str(&c->heard), '>');
    if (body && strlen(body + 1) == c->n_expected) {
        c->status = 0;
        loop_stop(c->loop);
    }
}

static void
client_closed(void *c_, int err)
{
    struct client *c = c_;
    c->status = 1;
    loop_stop(c->loop);
}

static int
be_client(uint16_t port, size_t n, const char *want_cn_here, const char *want_cn_there)
{
    static const struct stream_ops ops = {client_connected, client_received, NULL, client_closed};
    struct why why;
    struct client c = {.loop = loop_new(), .heard = TEXT_INIT, .n_expected = n};
    AUTO_STR char *target = xasprintf("ssl:127.0.0.1:%u", port);
    c.stream = stream_connect(c.loop, target, &ops, &c, &why);
    if (!c.stream)
        return 3;
    loop_run(c.loop);
    if (!c.status && want_cn_here) {
        AUTO_STR char *prefix = xasprintf("%s>", want_cn_there);
        if (!stream_peer_cn(c.stream) || strcmp(stream_peer_cn(c.stream), want_cn_here) ||
            strncmp(text_str(&c.heard), prefix, strlen(prefix)))
            c.status = 4;
    }
    loop_free(c.loop);
    text_fini(&c.heard);
    return c.status;
}

/* Runs the server until the client is done; its status. */
static int
meet(const char *name, const char *trusted, bool bootstraps, struct tls_config rest, size_t n)
{
    uint16_t port = listener_port(listener);
    pid_t pid = fork();
    if (!pid) {
        alarm(60);
        configure(name, trusted, bootstraps, NULL, rest);
        _exit(be_client(port, n, "server 1", name[0] == 'c' ? "client 7" : NULL));
    }
    int status;
    loop_run(loop);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    for (int i = 0; i < 5; i++)
        loop_turn(loop, false);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* ---- the tests ---- */

TEST(both_sides_know_each_other)
{
    configure("server", "ca.cert", false, NULL, NOTHING_ELSE);
    start();
    CHECK_EQ(meet("client", "ca.cert", false, NOTHING_ELSE, 5), 0);
    CHECK_EQ(meet("client", "ca.cert", false, NOTHING_ELSE, 3000000), 0); /* both directions full */
    CHECK_EQ(n_refused, 0);
    finish();
}

TEST(strangers_are_refused)
{
    configure("server", "ca.cert", false, NULL, NOTHING_ELSE);
    start();
    CHECK_EQ(meet("stranger", "ca.cert", false, NOTHING_ELSE, 5), 1); /* the server does not know the client */
    CHECK_EQ(n_refused, 1);
    CHECK_EQ(meet("client", "other_ca.cert", false, NOTHING_ELSE, 5), 1); /* the client does not know the server */
    finish();
}

TEST(none_trusts_everyone)
{
    configure("server", "none", false, NULL, NOTHING_ELSE);
    start();
    CHECK_EQ(meet("client", "none", false, NOTHING_ELSE, 5),
             4); /* the server asks for no certificate: nobody has a name */
    finish();
}

static void
set_true(void *flag)
{
    *(bool *) flag = true;
}

static void
never_mind(void *aux, int err)
{
}

TEST(a_peer_that_says_nothing_is_sent_away)
{
    static const struct stream_ops silent = {.closed = never_mind};
    struct why why;
    bool done = false;
    configure("server", "ca.cert", false, NULL, NOTHING_ELSE);
    start();
    loop_time_stop(loop);
    AUTO_STR char *target = xasprintf("tcp:127.0.0.1:%u", listener_port(listener));
    CHECK(stream_connect(loop, target, &silent, NULL, &why));
    for (int i = 0; i < 5; i++)
        loop_turn(loop, false);
    CHECK_EQ(n_refused, 0);
    loop_time_warp(loop, seconds(31), seconds(1), set_true, &done);
    while (!done)
        loop_turn(loop, true);
    CHECK_EQ(n_refused, 1);
    finish();
}

TEST(protocols_and_ciphers_must_meet)
{
    configure("server", "ca.cert", false, NULL, (struct tls_config){.protocols = "TLSv1.3"});
    start();
    CHECK_EQ(meet("client", "ca.cert", false, (struct tls_config){.protocols = "TLSv1.2"}, 5), 1);
    CHECK_EQ(meet("client", "ca.cert", false, (struct tls_config){.protocols = "TLSv1.2+"}, 5), 0);
    CHECK_EQ(meet("client", "ca.cert", false, (struct tls_config){.ciphersuites = "TLS_AES_128_GCM_SHA256"}, 5), 0);
    configure("server", "ca.cert", false, NULL, (struct tls_config){.ciphersuites = "TLS_AES_256_GCM_SHA384"});
    CHECK_EQ(meet("client", "ca.cert", false, (struct tls_config){.ciphersuites = "TLS_AES_128_GCM_SHA256"}, 5), 1);
    configure("server", "ca.cert", false, NULL,
              (struct tls_config){.protocols = "TLSv1.2", .ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256"});
    CHECK_EQ(meet("client", "ca.cert", false, (struct tls_config){.ciphers = "ECDHE-ECDSA-AES256-GCM-SHA384"}, 5), 1);
    CHECK_EQ(meet("client", "ca.cert", false, NOTHING_ELSE, 5), 0);
    finish();
}

TEST(a_client_takes_the_ca_on_first_contact)
{
    struct stat st;
    AUTO_STR char *taken = path_of("taken.cert");
    configure("server", "none", false, NULL, NOTHING_ELSE);
    start();
    CHECK_EQ(meet("client", "taken.cert", true, NOTHING_ELSE, 5), 1); /* this server has no CA to send */
    CHECK(stat(taken, &st));
    configure("server", "ca.cert", false, "ca.cert", NOTHING_ELSE);
    CHECK_EQ(meet("client", "taken.cert", true, NOTHING_ELSE, 5), 0);
    CHECK(!stat(taken, &st));
    CHECK_EQ(meet("client", "taken.cert", true, NOTHING_ELSE, 5), 0); /* now it is trusted like any other */
    CHECK_EQ(meet("client", "taken.cert", false, NOTHING_ELSE, 5), 0);
    unlink(taken);
    configure("server", "ca.cert", false, "other_ca.cert", NOTHING_ELSE); /* a CA that did not sign the server */
    CHECK_EQ(meet("client", "taken.cert", true, NOTHING_ELSE, 5), 1);
    CHECK(stat(taken, &st));
    finish();
}

TEST(files_are_read_again_when_they_change)
{
    AUTO_STR char *cert = path_of("changing.cert");
    struct identity first = make_identity("stranger", &other_ca), second = make_identity("server 1", &ca);
    write_identity("changing", &first);
    configure("changing", "ca.cert", false, NULL, NOTHING_ELSE);
    start();
    CHECK_EQ(meet("client", "ca.cert", false, NOTHING_ELSE, 5), 1);
    write_identity("changing", &second);
    CHECK_EQ(meet("client", "ca.cert", false, NOTHING_ELSE, 5), 0);
    FILE *f = fopen(cert, "w"); /* somebody's copy is not finished yet */
    fputs("-----BEGIN CERT", f);
    fclose(f);
    CHECK_EQ(meet("client", "ca.cert", false, NOTHING_ELSE, 5), 0);
    finish();
    free_identity(&first);
    free_identity(&second);
}

static void
refused_with(const char *part)
{
    struct why why = {""};
    SSL_CTX *ctx;
    struct loop *l = loop_new();
    struct listener *ls;
    int err = listener_open(l, "pssl:0:127.0.0.1", accepted, NULL, &ls, &why);
    if (!err) { /* settings are complete: the files are another matter */
        listener_close(ls);
        err = tls_context(&ctx, &why);
    }
    loop_free(l);
    CHECK(err);
    if (!strstr(why.text, part))
        print_error("\"%s\" lacks \"%s\"\n", why.text, part);
    CHECK(strstr(why.text, part));
}

TEST(refusals_name_what_is_wrong)
{
    tls_configure(&(struct tls_config){.protocols = NULL});
    refused_with("Private key must be configured");
    tls_configure(&(struct tls_config){.private_key = "/nonexistent/key"});
    refused_with("Certificate must be configured");
    tls_configure(&(struct tls_config){.private_key = "/nonexistent/key", .certificate = "/nonexistent/cert"});
    refused_with("CA certificate must be configured");
    tls_configure(
        &(struct tls_config){.private_key = "/nonexistent/key", .certificate = "/nonexistent/cert", .ca_cert = "none"});
    refused_with("/nonexistent/key: not usable as a private key");
    configure("server", "nosuch.cert", false, NULL, NOTHING_ELSE);
    refused_with("nosuch.cert: not usable as a CA certificate");
    configure("server", "ca.cert", false, NULL, (struct tls_config){.protocols = "SSLv3"});
    refused_with("SSLv3: SSL/TLS protocol not recognized");
    configure("server", "ca.cert", false, NULL, (struct tls_config){.ciphers = "NOSUCH"});
    refused_with("NOSUCH: no such ciphers");
    AUTO_STR char *key = path_of("client.key");
    AUTO_STR char *cert = path_of("server.cert");
    tls_configure(&(struct tls_config){.private_key = key, .certificate = cert, .ca_cert = "none"});
    refused_with("key");
    CHECK_EQ(tls_parse_protocols("TLSv1,TLSv1.1,TLSv1.2", &(int){0}, &(int){0}, NULL), 0);
    CHECK_EQ(tls_parse_protocols("TLSv1", &(int){0}, &(int){0}, NULL), -EINVAL);
}

static void
remove_files(void)
{
    static const char *const names[] = {"ca", "other_ca", "server", "client", "stranger", "changing"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        AUTO_STR char *key = xasprintf("%s/%s.key", dir, names[i]);
        AUTO_STR char *cert = xasprintf("%s/%s.cert", dir, names[i]);
        unlink(key);
        unlink(cert);
    }
    rmdir(dir);
}

int
main(void)
{
    const struct CMUnitTest cases[] = {TEST_EACH_(
        both_sides_know_each_other, strangers_are_refused, none_trusts_everyone, a_peer_that_says_nothing_is_sent_away,
        protocols_and_ciphers_must_meet, a_client_takes_the_ca_on_first_contact, files_are_read_again_when_they_change,
        refusals_name_what_is_wrong)};
    struct why why;
    if (!mkdtemp(dir) || log_set_words(getenv("IO_TLS_TEST_LOG") ? "any:console:info" : "any:off", &why))
        return 1;
    make_files();
    int failed = cmocka_run_group_tests(cases, NULL, NULL);
    remove_files();
    free_identity(&ca);
    free_identity(&other_ca);
    return failed;
}
