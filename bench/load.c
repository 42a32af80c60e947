/* The load: Socket.IO clients over WebSocket in one thread, lean enough never to be the bottleneck.
 *
 * usage: load pairs|idle|group|readers|offered HOST PORT COUNT IN_FLIGHT BYTES
 *   pairs: COUNT senders, each with a receiver of its own; IN_FLIGHT messages of BYTES each.
 *   offered: as many pairs; IN_FLIGHT messages a second by all senders together, in turn, whether
 *          or not the ones before are acked. Says P50_US P99_US too: from when a message was due,
 *          not from when it could be sent, until its ack.
 *   idle:  COUNT connections that have joined and answer pings.
 *   group: COUNT members of a group (room) `group_bench`; the first sends, the others get.
 *   readers: COUNT members; all but the first display the last 100 of BYTES entries of the log,
 *          one after the other, IN_FLIGHT before they wait for the acks. Ends when all are acked.
 * Says `ready`; `go WARMUP_S SECONDS` on stdin begins; says `start`, then
 * `end ACKED RECEIVED CPU_US WALL_US`. Ends when stdin does. Any fault ends it with a message.
 *
 * Protocols: RFC 6455, engine.io-protocol 4, socket.io-protocol 5. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { IN_BYTES = 16384, OUT_BYTES = 16384, BATCH = 512, STDIN = -1, TIMER = -2, MESSAGES = 100 };
enum { WAITING = 1024, SLOWEST_US = 1 << 20 };
enum mode { PAIRS, IDLE, GROUP, READERS, OFFERED };
#define GROUP_ID "group_bench"

struct conn {
    int fd, index, displayed, confirmed, sent;
    uint64_t *due; /* of the last WAITING messages that were offered; acks come in their order */
    size_t in_len, out_len;
    char *in, *out; /* of senders and receivers; idle ones share, as they hold nothing */
};

static struct sockaddr_in address;
static const char *host;
static int count, in_flight, text_bytes;
static enum mode mode;
static struct conn *conns;
static char shared_in[IN_BYTES], shared_out[OUT_BYTES];
static uint64_t acked, received, next_id, offered, began_us;
static uint32_t acked_after[SLOWEST_US + 1]; /* how many acks by microseconds */
static int timer;
static uint32_t mask_state = 2463534242u;

static void die(const char *what, const char *more)
{
    fprintf(stderr, "load: %s: %s\n", what, more ? more : strerror(errno));
    exit(1);
}

static uint64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static uint64_t cpu_us(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000ull + u.ru_utime.tv_usec + u.ru_stime.tv_usec;
}

static uint32_t next_mask(void)
{
    mask_state ^= mask_state << 13;
    mask_state ^= mask_state >> 17;
    mask_state ^= mask_state << 5;
    return mask_state;
}

/* Append a masked text frame to what waits to be written. */
static void put_frame(struct conn *c, const char *text, size_t len)
{
    if (c->out_len + len + 8 > OUT_BYTES) die("outgoing buffer", "full");
    char *at = c->out + c->out_len;
    uint32_t key = next_mask();
    size_t head = len < 126 ? 2 : 4;
    at[0] = (char)0x81;
    at[1] = (char)(0x80 | (len < 126 ? len : 126));
    if (head == 4) { at[2] = (char)(len >> 8); at[3] = (char)len; }
    memcpy(at + head, &key, 4);
    for (size_t i = 0; i < len; i++) at[head + 4 + i] = text[i] ^ ((char *)&key)[i & 3];
    c->out_len += head + 4 + len;
}

static void flush_out(struct conn *c)
{
    if (!c->out_len) return;
    ssize_t sent = write(c->fd, c->out, c->out_len);
    if (sent != (ssize_t)c->out_len) die("write", sent < 0 ? NULL : "the server reads too slowly");
    c->out_len = 0;
}

/* The uid of connection i: senders and receivers alternate, so i ^ 1 is the partner. */
static int uid_of(char *to, int index) { return sprintf(to, "load%06d", index); }

static void put_message(struct conn *c)
{
    char text[4096], from[16], to[16];
    uid_of(from, c->index);
    uid_of(to, c->index ^ 1);
    int in_group = mode == GROUP, len = sprintf(text,
        "421[\"chat\",{\"EvtType\":\"message\",\"From\":\"%s\",\"Originated\":\"%s\",\"To\":\"%s\","
        "\"MsgID\":\"%016llx\",\"Timestamp\":1700000000,\"Body\":\"",
        in_group ? GROUP_ID : from, in_group ? from : "", in_group ? GROUP_ID : to,
        (unsigned long long)next_id++);
    while (len < text_bytes - 3) text[len++] = 'x';
    len += sprintf(text + len, "\"}]");
    put_frame(c, text, len);
}

/* The next of the messages that a reader displays; `text_bytes` is where the log ends. */
static void put_display(struct conn *c)
{
    char text[512], uid[16];
    uid_of(uid, c->index);
    put_frame(c, text, sprintf(text,
        "421[\"chat\",{\"EvtType\":\"display\",\"From\":\"" GROUP_ID "\",\"Originated\":\"%s\","
        "\"To\":\"" GROUP_ID "\",\"MsgID\":\"\",\"Timestamp\":1700000000,\"Body\":\"\","
        "\"ConvID\":\"" GROUP_ID "\",\"Seq\":%d}]", uid, text_bytes - MESSAGES + ++c->displayed));
}

static void go_on_reading(struct conn *c)
{
    if (c->confirmed < c->displayed) return;
    for (int k = 0; k < in_flight && c->displayed < MESSAGES; k++) put_display(c);
}

/* All messages that are due by now, however late the server is with the ones before. */
static void offer(void)
{
    uint64_t fired, due;
    if (read(timer, &fired, sizeof fired) < 0) return;
    while ((due = began_us + offered * 1000000 / in_flight) <= now_us()) {
        struct conn *c = &conns[offered++ % count * 2];
        if (c->sent - c->confirmed == WAITING) die("offered", "the server is too far behind");
        c->due[c->sent++ % WAITING] = due;
        put_message(c);
        flush_out(c);
    }
}

static void note_ack(struct conn *c)
{
    uint64_t us = now_us() - c->due[(c->confirmed - 1) % WAITING];
    acked_after[us < SLOWEST_US ? us : SLOWEST_US]++;
}

static int percentile_us(double share)
{
    uint64_t seen = 0;
    int us = 0;
    while (us < SLOWEST_US && (seen += acked_after[us]) < share * acked) us++;
    return us;
}

static void handle(struct conn *c, const char *text, size_t len)
{
    if (len == 1 && text[0] == '2') {
        put_frame(c, "3", 1);
    } else if (len > 3 && !memcmp(text, "431[", 4)) {
        if (!memmem(text, len, "\"ok\":true", 9)) die("refused", strndup(text, len));
        acked++;
        c->confirmed++;
        if (mode == READERS) go_on_reading(c);
        else if (mode == OFFERED) note_ack(c);
        else put_message(c);
    } else if (len > 30 && !memcmp(text, "42[\"chat\"", 9)) {
        if (mode == READERS ? memmem(text, len, "\"receipts\"", 10) : memmem(text, len, "\"message\"", 9))
            received++;
    } else if (len > 2 && !memcmp(text, "42[\"error\"", 10)) {
        die("error event", strndup(text, len));
    }
}

/* The length of the first whole frame in `at`, 0 if there is none; its text by reference. */
static size_t next_frame(const char *at, size_t len, const char **text, size_t *text_len)
{
    if (len < 2) return 0;
    size_t head = 2, body = (unsigned char)at[1] & 127;
    if (body == 126) {
        if (len < 4) return 0;
        head = 4;
        body = (unsigned char)at[2] << 8 | (unsigned char)at[3];
    } else if (body == 127) {
        die("frame", "longer than 64 KiB");
    }
    if (len < head + body) return 0;
    if ((at[0] & 15) == 8) die("closed by the server", strndup(at + head + 2, body > 2 ? body - 2 : 0));
    *text = at + head;
    *text_len = body;
    return head + body;
}

static void take_frames(struct conn *c)
{
    size_t done = 0, used, text_len;
    const char *text;
    while ((used = next_frame(c->in + done, c->in_len - done, &text, &text_len))) {
        handle(c, text, text_len);
        done += used;
    }
    memmove(c->in, c->in + done, c->in_len -= done);
}

static void on_readable(struct conn *c)
{
    ssize_t got = read(c->fd, c->in + c->in_len, IN_BYTES - c->in_len);
    if (got <= 0) die("read", got == 0 ? "closed by the server" : NULL);
    c->in_len += got;
    take_frames(c);
    if (mode == IDLE && c->in_len) die("idle connection", "half a frame");
    flush_out(c);
}

/* Blocking: read until a text frame begins with `beginning`; all others are passed over. */
static void await_packet(struct conn *c, const char *beginning)
{
    for (;;) {
        const char *text;
        size_t text_len, used = next_frame(c->in, c->in_len, &text, &text_len);
        if (!used) {
            ssize_t got = read(c->fd, c->in + c->in_len, IN_BYTES - c->in_len);
            if (got <= 0) die("handshake", beginning);
            c->in_len += got;
            continue;
        }
        int found = text_len >= strlen(beginning) && !memcmp(text, beginning, strlen(beginning));
        memmove(c->in, c->in + used, c->in_len -= used);
        if (found) return;
    }
}

static void await_upgrade(struct conn *c)
{
    char *end;
    while (!(end = memmem(c->in, c->in_len, "\r\n\r\n", 4))) {
        ssize_t got = read(c->fd, c->in + c->in_len, IN_BYTES - c->in_len);
        if (got <= 0) die("upgrade", NULL);
        c->in_len += got;
    }
    if (memcmp(c->in, "HTTP/1.1 101", 12)) die("upgrade", strndup(c->in, 40));
    size_t used = end + 4 - c->in;
    memmove(c->in, c->in + used, c->in_len -= used);
}

static void join(struct conn *c)
{
    char text[256], uid[16];
    int len = sprintf(text,
        "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\n"
        "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", host);
    if (write(c->fd, text, len) != len) die("upgrade", NULL);
    await_upgrade(c);
    await_packet(c, "0");
    put_frame(c, "40", 2);
    flush_out(c);
    await_packet(c, "40");
    uid_of(uid, c->index);
    const char *rooms = mode < GROUP ? "" : ",\"rooms\":[\"" GROUP_ID "\"]";
    const char *cursors = mode < GROUP ? "" : "\"" GROUP_ID "\":1000000000";
    len = sprintf(text, "420[\"join\",{\"uid\":\"%s\",\"device\":\"d\",\"cursors\":{%s}%s}]", uid, cursors, rooms);
    put_frame(c, text, len);
    flush_out(c);
    await_packet(c, "430[");
}

static void connect_one(struct conn *c, int index)
{
    int on = 1;
    c->index = index;
    c->in = mode != IDLE ? malloc(IN_BYTES) : shared_in;
    c->out = mode != IDLE ? malloc(OUT_BYTES) : shared_out;
    if ((c->fd = socket(AF_INET, SOCK_STREAM, 0)) < 0) die("socket", NULL);
    if (connect(c->fd, (struct sockaddr *)&address, sizeof address)) die("connect", NULL);
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    join(c);
    if (mode != PAIRS && c->in_len) {
        take_frames(c);
        if (mode == IDLE && c->in_len) die("idle connection", "half a frame");
        flush_out(c);
    }
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
}

static void watch(int epoll, int fd, int index)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = index};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event)) die("epoll", NULL);
}

static void turn(int epoll, int timeout_ms, int *stdin_ready)
{
    struct epoll_event events[BATCH];
    int n = epoll_wait(epoll, events, BATCH, timeout_ms);
    for (int i = 0; i < n; i++) {
        if (events[i].data.fd == STDIN) *stdin_ready = 1;
        else if (events[i].data.fd == TIMER) offer();
        else on_readable(&conns[events[i].data.fd]);
    }
}

static int all_read(void) { return mode == READERS && acked == (uint64_t)(count - 1) * MESSAGES; }

static void run_for(int epoll, double seconds)
{
    int ignored = 0;
    uint64_t end = now_us() + (uint64_t)(seconds * 1e6);
    while (now_us() < end && !all_read()) turn(epoll, 10, &ignored);
}

static void begin(void)
{
    if (mode == OFFERED) {
        struct timespec often = {.tv_nsec = 100000};
        struct itimerspec times = {.it_interval = often, .it_value = often};
        began_us = now_us();
        timerfd_settime(timer, 0, &times, NULL);
    }
    int senders = mode == PAIRS ? 2 * count : mode == GROUP ? 1 : 0;
    for (int i = 0; i < senders; i += 2) {
        for (int k = 0; k < in_flight; k++) put_message(&conns[i]);
        flush_out(&conns[i]);
    }
    for (int i = 1; mode == READERS && i < count; i++) {
        go_on_reading(&conns[i]);
        flush_out(&conns[i]);
    }
}

static void measure(int epoll, double warmup_s, double seconds)
{
    if (mode != READERS) {
        begin();
        run_for(epoll, warmup_s);
    }
    acked = received = 0;
    memset(acked_after, 0, sizeof acked_after);
    puts("start");
    uint64_t wall = now_us(), cpu = cpu_us();
    if (mode == READERS) begin();
    run_for(epoll, seconds);
    printf("end %llu %llu %llu %llu", (unsigned long long)acked, (unsigned long long)received,
        (unsigned long long)(cpu_us() - cpu), (unsigned long long)(now_us() - wall));
    if (mode == OFFERED) printf(" %d %d", percentile_us(0.5), percentile_us(0.99));
    puts("");
}

int main(int argc, char **argv)
{
    if (argc != 7) die("usage", "load pairs|idle|group|readers|offered HOST PORT COUNT IN_FLIGHT BYTES");
    const char *modes[] = {"pairs", "idle", "group", "readers", "offered"};
    while (mode < OFFERED && strcmp(argv[1], modes[mode])) mode++;
    host = argv[2];
    count = atoi(argv[4]);
    in_flight = atoi(argv[5]);
    text_bytes = atoi(argv[6]);
    next_id = now_us() << 12;
    address.sin_family = AF_INET;
    address.sin_port = htons(atoi(argv[3]));
    inet_pton(AF_INET, host, &address.sin_addr);
    setvbuf(stdout, NULL, _IOLBF, 0);

    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);

    int total = mode == PAIRS || mode == OFFERED ? 2 * count : count, epoll = epoll_create1(0), has_input = 0;
    double warmup_s, seconds;
    conns = calloc(total, sizeof *conns);
    timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    watch(epoll, timer, TIMER);
    for (int i = 0; i < total; i++) {
        if (mode == OFFERED) conns[i].due = calloc(WAITING, sizeof *conns[i].due);
        connect_one(&conns[i], i);
        watch(epoll, conns[i].fd, i);
    }
    watch(epoll, 0, STDIN);
    puts("ready");
    while (!has_input) turn(epoll, -1, &has_input);
    if (scanf("go %lf %lf", &warmup_s, &seconds) == 2) measure(epoll, warmup_s, seconds);
    return 0;
}
