/* The same application as peers/socketio in C, one send() for each copy and each ack.
 *
 * It knows what the load client says and no more: no limits, no checks, no pings, nothing kept.
 * Prints its port. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { IN_BYTES = 16384, BATCH = 512, MOST = 20000 };

struct client {
    int fd, has_upgraded, in_room;
    size_t in_len;
    char *in;
};

static struct client *clients[MOST];   /* by socket */
static struct client *of_user[MOST];   /* by the number in load000000 */
static struct client *room[MOST];
static int room_size;

static void die(const char *what) { perror(what); exit(1); }

static void put(struct client *c, const char *bytes, size_t len)
{
    if (send(c->fd, bytes, len, MSG_NOSIGNAL) != (ssize_t)len && errno != EPIPE && errno != ECONNRESET)
        die("send");
}

/* One unmasked text frame of two parts. */
static size_t frame(char *to, const char *head, const char *text, size_t len)
{
    size_t head_len = strlen(head), body = head_len + len, at = body < 126 ? 2 : 4;
    to[0] = (char)0x81;
    to[1] = (char)(body < 126 ? body : 126);
    if (at == 4) { to[2] = (char)(body >> 8); to[3] = (char)body; }
    memcpy(to + at, head, head_len);
    memcpy(to + at + head_len, text, len);
    return at + body;
}

static void say(struct client *c, const char *text)
{
    char bytes[256];
    put(c, bytes, frame(bytes, text, "", 0));
}

static void upgrade(struct client *c)
{
    static const char answer[] =
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    char *end = memmem(c->in, c->in_len, "\r\n\r\n", 4);
    if (!end) return;
    c->in_len = 0;
    c->has_upgraded = 1;
    put(c, answer, sizeof answer - 1);
    say(c, "0{\"sid\":\"x\",\"upgrades\":[],\"pingInterval\":25000,\"pingTimeout\":20000,\"maxPayload\":1000000}");
}

static int number_after(const char *text, size_t len, const char *field)
{
    const char *at = memmem(text, len, field, strlen(field));
    return at ? atoi(at + strlen(field)) % MOST : -1;
}

static void join(struct client *c, const char *text, size_t len)
{
    int user = number_after(text, len, "\"uid\":\"load");
    if (user >= 0) of_user[user] = c;
    if (memmem(text, len, "\"rooms\"", 7)) {
        c->in_room = 1;
        room[room_size++] = c;
    }
    say(c, "430[{\"ok\":true}]");
}

static void pass_on(struct client *c, const char *text, size_t len)
{
    static char bytes[IN_BYTES];
    size_t size = frame(bytes, "42", text + 3, len - 3); /* without the number of the ack */
    int user = number_after(text, len, "\"To\":\"load");
    if (user < 0) for (int i = 0; i < room_size; i++) put(room[i], bytes, size);
    else if (of_user[user]) put(of_user[user], bytes, size);
    const char *id = memmem(text, len, "\"MsgID\":\"", 9);
    if (!id) return;
    char ack[128];
    snprintf(ack, sizeof ack, "431[{\"ok\":true,%.26s}]", id);
    say(c, ack);
}

static void hear(struct client *c, const char *text, size_t len)
{
    if (len >= 4 && !memcmp(text, "420[", 4)) join(c, text, len);
    else if (len >= 4 && !memcmp(text, "421[", 4)) pass_on(c, text, len);
    else if (len >= 2 && !memcmp(text, "40", 2)) say(c, "40{\"sid\":\"x\"}");
}

/* Unmask and take the first frame; its length, 0 if it is not whole. */
static size_t take_frame(struct client *c, char *at, size_t len)
{
    if (len < 6) return 0;
    size_t head = 2, body = (unsigned char)at[1] & 127;
    if (body == 126) {
        head = 4;
        body = (size_t)((unsigned char)at[2] << 8 | (unsigned char)at[3]);
    }
    if (len < head + 4 + body) return 0;
    char *key = at + head, *text = key + 4;
    for (size_t i = 0; i < body; i++) text[i] ^= key[i & 3];
    hear(c, text, body);
    return head + 4 + body;
}

static void leave(struct client *c)
{
    for (int i = 0; i < MOST; i++) if (of_user[i] == c) of_user[i] = NULL;
    for (int i = 0; c->in_room && i < room_size; i++) if (room[i] == c) room[i--] = room[--room_size];
    clients[c->fd] = NULL;
    close(c->fd);
    free(c->in);
    free(c);
}

static void on_readable(struct client *c)
{
    ssize_t got = read(c->fd, c->in + c->in_len, IN_BYTES - c->in_len);
    if (got <= 0) { leave(c); return; }
    c->in_len += (size_t)got;
    if (!c->has_upgraded) { upgrade(c); return; }
    size_t done = 0, used;
    while ((used = take_frame(c, c->in + done, c->in_len - done))) done += used;
    memmove(c->in, c->in + done, c->in_len -= done);
}

static void watch(int epoll, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event)) die("epoll_ctl");
}

static void welcome(int epoll, int listener)
{
    int on = 1, fd = accept(listener, NULL, NULL);
    if (fd < 0 || fd >= MOST) die("accept");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    clients[fd] = calloc(1, sizeof *clients[fd]);
    clients[fd]->fd = fd;
    clients[fd]->in = malloc(IN_BYTES);
    watch(epoll, fd);
}

int main(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    struct rlimit files;
    struct epoll_event events[BATCH];
    int listener = socket(AF_INET, SOCK_STREAM, 0), epoll = epoll_create1(0);
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 4096)) die("listen");
    getsockname(listener, (struct sockaddr *)&address, &size);
    watch(epoll, listener);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    for (;;) {
        int n = epoll_wait(epoll, events, BATCH, -1);
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            if (fd == listener) welcome(epoll, listener);
            else if (clients[fd]) on_readable(clients[fd]);
        }
    }
}
