/* From a socket to a device that has joined: each stage answers what the server said in it
 * (engine.io-protocol 4, socket.io-protocol 5). */
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* Senders and receivers alternate, so the partner of connection i is i ^ 1. */
int uid_of(char *to, int index) { return sprintf(to, "load%06d", options.first_uid + index); }

/* Begin to connect; connections take the ports in turn. */
void dial(struct conn *c, int index)
{
    int on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_port = htons((uint16_t)options.ports[index % options.port_count]);
    inet_pton(AF_INET, options.host, &address.sin_addr);
    c->index = index;
    c->stage = DIALLING;
    c->in = malloc(IN_BYTES);
    c->out = malloc(OUT_BYTES);
    if ((c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)) < 0) die("socket", NULL);
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(c->fd, (struct sockaddr *)&address, sizeof address) && errno != EINPROGRESS)
        die("connect", NULL);
}

/* The connection stands, or could not be made. */
void on_writable(struct conn *c)
{
    int fault = 0;
    socklen_t size = sizeof fault;
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &fault, &size);
    if (fault) die("connect", strerror(fault));
    char text[512];
    size_t len = (size_t)sprintf(text,
        "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\n"
        "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", options.host);
    put_bytes(c, text, len);
    c->stage = UPGRADING;
}

/* Take the head of the HTTP answer, once it is whole. */
void on_upgraded(struct conn *c)
{
    char *end = memmem(c->in, c->in_len, "\r\n\r\n", 4);
    if (!end) return;
    if (memcmp(c->in, "HTTP/1.1 101", 12)) die("upgrade", strndup(c->in, 40));
    size_t used = (size_t)(end + 4 - c->in);
    memmove(c->in, c->in + used, c->in_len -= used);
    c->stage = OPENING;
}

static void put_connect(struct conn *c)
{
    char text[128], uid[UID_BYTES];
    uid_of(uid, c->index);
    if (options.has_tokens) put_frame(c, text, (size_t)sprintf(text, "40{\"token\":\"token-of-%s\"}", uid));
    else put_frame(c, "40", 2);
}

/* The cursors of a device that was here: it has all, or all but the newest entries (storm). */
static int sprint_cursors(char *to, const char *uid)
{
    int len = sprintf(to, "\"user:%s\":%d", uid, options.in_flight);
    int seq = options.bytes - (options.mode == STORM);
    for (int k = 0; k < options.in_flight; k++)
        len += sprintf(to + len, ",\"dm:friend%02d:%s\":%d", k, uid, seq);
    return len;
}

static void put_join(struct conn *c)
{
    static char text[OUT_BYTES];
    char uid[UID_BYTES];
    int in_group = options.mode == GROUP || options.mode == READERS;
    uid_of(uid, c->index);
    int len = sprintf(text, "420[\"join\",{\"uid\":\"%s\",\"device\":\"d\",\"cursors\":{", uid);
    if (in_group) len += sprintf(text + len, "\"" GROUP_ID "\":1000000000");
    if (options.mode == KNOWN || options.mode == STORM) len += sprint_cursors(text + len, uid);
    len += sprintf(text + len, "}%s}]", in_group ? ",\"rooms\":[\"" GROUP_ID "\"]" : "");
    put_frame(c, text, (size_t)len);
}

/* A packet that came before the device has joined. */
void on_joining(struct conn *c, const char *text, size_t len)
{
    if (c->stage == OPENING && begins(text, len, "0")) {
        put_connect(c);
        c->stage = ENTERING;
    } else if (c->stage == ENTERING && begins(text, len, "40")) {
        put_join(c);
        c->stage = JOINING;
    } else if (c->stage == JOINING && begins(text, len, "430[")) {
        if (!memmem(text, len, "\"ok\":true", 9)) die("join refused", strndup(text, len));
        c->stage = LIVE;
    } else if (begins(text, len, "44")) {
        die("connect refused", strndup(text, len));
    } else {
        hear(c, text, len);
    }
}
