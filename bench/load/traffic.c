/* What joined devices say when, and what they make of what they hear. */
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MESSAGES = 100 };
#define NONE UINT64_MAX

uint64_t acked, received;
static uint64_t first_id = UINT64_MAX, count, began_us; /* `count`: of messages since `begin` */
static struct histogram ack_us, receive_us;

/* Senders and receivers alternate, so the partner of connection i is i ^ 1. */
int uid_of(char *to, int index) { return sprintf(to, "load%06d", options.first_uid + index); }

/* After the first `len` bytes of `text` the message of that number since `begin` and `end`, filled up
 * to `options.bytes` in all; their length. */
size_t fill_message(char *text, int len, const struct conn *c, uint64_t number, const char *end)
{
    char from[UID_BYTES], to[UID_BYTES];
    uid_of(from, c->index);
    uid_of(to, c->index ^ 1);
    int in_group = options.mode == GROUP;
    len += sprintf(text + len,
        "{\"EvtType\":\"message\",\"From\":\"%s\",\"Originated\":\"%s\",\"To\":\"%s\","
        "\"MsgID\":\"%016llx\",\"Timestamp\":1700000000,\"Body\":\"",
        in_group ? GROUP_ID : from, in_group ? from : "", in_group ? GROUP_ID : to,
        (unsigned long long)(first_id + number));
    int filled = options.bytes - 2 - (int)strlen(end);
    while (len < filled) text[len++] = 'x';
    return (size_t)(len + sprintf(text + len, "\"}%s", end));
}

/* Which message it is, by its MsgID; NONE: it has none, or is of before `begin`. */
uint64_t number_in(const char *text, size_t len)
{
    const char *at = memmem(text, len, "\"MsgID\":\"", 9);
    uint64_t id = at ? strtoull(at + 9, NULL, 16) : 0;
    return id >= first_id ? id - first_id : NONE;
}

static void put_next(struct conn *c)
{
    c->sent++;
    options.dialect->put_message(c, count++);
}

/* The next of the messages that a reader displays; the log ends at `options.bytes`. */
static void go_on_reading(struct conn *c)
{
    if (c->confirmed < c->sent) return;
    for (int k = 0; k < options.in_flight && c->sent < MESSAGES; k++)
        options.dialect->put_display(c, options.bytes - MESSAGES + ++c->sent);
}

/* When the message `number` is due; it is as late as it comes after that. */
static uint64_t due_us(uint64_t number) { return began_us + number * 1000000 / (uint64_t)options.in_flight; }

uint64_t next_due_us(void) { return due_us(count); }

/* Send what is due by now, in turn, however late the server is with what came before. */
void offer(void)
{
    while (next_due_us() <= now_us()) put_next(&conns[count % (uint64_t)options.count * 2]);
}

static void note_latency(struct histogram *h, uint64_t number) { note(h, now_us() - due_us(number)); }

/* A message is done when it is acked, and in a pair received, too; then the next one goes. */
static void go_on_sending(struct conn *c)
{
    int done = options.mode == PAIRS && c->received < c->confirmed ? c->received : c->confirmed;
    while (c->sent - done < options.in_flight) put_next(c);
}

/* What this device said is acked: the message of that number, or a display. */
void on_ack(struct conn *c, uint64_t number)
{
    acked++;
    c->confirmed++;
    if (options.mode == READERS) go_on_reading(c);
    else if (options.mode == OFFERED) note_latency(&ack_us, number);
    else go_on_sending(c);
}

/* A message came; `number`: which. */
void on_message(struct conn *c, uint64_t number)
{
    if (options.mode <= OFFERED && number == NONE) return;
    received++;
    if (options.mode == OFFERED) {
        note_latency(&receive_us, number);
    } else if (options.mode == PAIRS) {
        struct conn *sender = &conns[c->index ^ 1];
        sender->received++;
        go_on_sending(sender);
    }
}

/* First messages or displays. */
void begin(void)
{
    int senders = options.mode == PAIRS ? total : options.mode == GROUP ? 1 : 0;
    began_us = now_us();
    first_id = began_us << 12;
    for (int i = 0; i < senders; i += 2) go_on_sending(&conns[i]);
    for (int i = 1; options.mode == READERS && i < total; i++) go_on_reading(&conns[i]);
    flush_all();
}

/* Whether there is nothing more to come, for what ends by itself. */
int is_done(void)
{
    uint64_t all = (uint64_t)total;
    if (options.mode == READERS) return acked == (all - 1) * MESSAGES;
    return options.mode == STORM && received == all * (uint64_t)options.in_flight;
}

void reset_counts(void)
{
    acked = received = 0;
    memset(&ack_us, 0, sizeof ack_us);
    memset(&receive_us, 0, sizeof receive_us);
}

void print_latencies(void)
{
    const struct histogram *both[] = {&ack_us, &receive_us};
    for (int i = 0; i < 2; i++)
        printf(" %llu %llu %llu %llu", (unsigned long long)percentile(both[i], 0.5),
            (unsigned long long)percentile(both[i], 0.99), (unsigned long long)percentile(both[i], 0.999),
            (unsigned long long)both[i]->most);
}
