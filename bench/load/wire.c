/* WebSocket frames (RFC 6455) of one connection, clocks, and the end in case of a fault. */
#include "load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { UNFLUSHED = 65536 };
static uint32_t mask_state = 2463534242u;
static struct conn *unflushed[UNFLUSHED];
static int unflushed_count;

void die(const char *what, const char *more)
{
    fprintf(stderr, "load: %s: %s\n", what, more ? more : strerror(errno));
    exit(1);
}

uint64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

uint64_t cpu_us(void)
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

static void flush_out(struct conn *c)
{
    ssize_t sent = write(c->fd, c->out, c->out_len);
    if (sent != (ssize_t)c->out_len) die("write", sent < 0 ? NULL : "the server reads too slowly");
    c->out_len = 0;
}

/* Write what waits: one write for each connection. */
void flush_all(void)
{
    while (unflushed_count) flush_out(unflushed[--unflushed_count]);
}

/* Room for `len` bytes more in what waits to be written. */
static char *put_space(struct conn *c, size_t len)
{
    if (c->out_len + len > OUT_BYTES) die("outgoing buffer", "full");
    if (!c->out_len) {
        if (unflushed_count == UNFLUSHED) flush_all();
        unflushed[unflushed_count++] = c;
    }
    c->out_len += len;
    return c->out + c->out_len - len;
}

void put_bytes(struct conn *c, const char *bytes, size_t len)
{
    memcpy(put_space(c, len), bytes, len);
}

/* Append a masked text frame to what waits to be written. */
void put_frame(struct conn *c, const char *text, size_t len)
{
    uint32_t key = next_mask();
    size_t head = len < 126 ? 2 : 4;
    char *at = put_space(c, head + 4 + len);
    at[0] = (char)0x81;
    at[1] = (char)(0x80 | (len < 126 ? len : 126));
    if (head == 4) { at[2] = (char)(len >> 8); at[3] = (char)len; }
    memcpy(at + head, &key, 4);
    for (size_t i = 0; i < len; i++) at[head + 4 + i] = text[i] ^ ((char *)&key)[i & 3];
}

/* The length of the first whole frame in `at`, 0 if there is none; its text by reference. */
size_t next_frame(const char *at, size_t len, const char **text, size_t *text_len)
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

int begins(const char *text, size_t len, const char *beginning)
{
    size_t most = strlen(beginning);
    return len >= most && !memcmp(text, beginning, most);
}
