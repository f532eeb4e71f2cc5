/* tls - see the header.  Streams over TLS are refused until the settings are carried out here. */
#include "io/tls.h"
#include "io/layer.h"
#include <errno.h>

int
tls_check_settings(struct why *why)
{
    return refuse(why, -EPROTONOSUPPORT, "this build has no TLS");
}

int
tls_layer_new(int fd, const char *host, struct layer **out, struct why *why)
{
    return tls_check_settings(why);
}

void
tls_configure(const struct tls_config *config)
{
}
