/* From nothing to a WebSocket (RFC 6455). */
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

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
        "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\n"
        "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", options.dialect->path, options.host);
    put_bytes(c, text, len);
    c->stage = UPGRADING;
}

/* Take the head of the HTTP answer, once it is whole, and greet. */
void on_upgraded(struct conn *c)
{
    const char *greeting = options.dialect->greeting;
    char *end = memmem(c->in, c->in_len, "\r\n\r\n", 4);
    if (!end) return;
    if (memcmp(c->in, "HTTP/1.1 101", 12)) die("upgrade", strndup(c->in, 40));
    size_t used = (size_t)(end + 4 - c->in);
    memmove(c->in, c->in + used, c->in_len -= used);
    c->stage = OPENING;
    if (greeting) put_frame(c, greeting, strlen(greeting));
}
