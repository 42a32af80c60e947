/* What joined devices say, and what they make of what they hear. */
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MESSAGES = 100 };

uint64_t acked, received;
static uint64_t first_id = UINT64_MAX, next_id, began_us;
static struct histogram ack_us, receive_us;

static void put_message(struct conn *c)
{
    c->sent++;
    static char text[OUT_BYTES];
    char from[UID_BYTES], to[UID_BYTES];
    uid_of(from, c->index);
    uid_of(to, c->index ^ 1);
    int in_group = options.mode == GROUP, len = sprintf(text,
        "421[\"chat\",{\"EvtType\":\"message\",\"From\":\"%s\",\"Originated\":\"%s\",\"To\":\"%s\","
        "\"MsgID\":\"%016llx\",\"Timestamp\":1700000000,\"Body\":\"",
        in_group ? GROUP_ID : from, in_group ? from : "", in_group ? GROUP_ID : to,
        (unsigned long long)next_id++);
    while (len < options.bytes - 3) text[len++] = 'x';
    len += sprintf(text + len, "\"}]");
    put_frame(c, text, (size_t)len);
}

/* The next of the messages that a reader displays; the log ends at `options.bytes`. */
static void put_display(struct conn *c)
{
    char text[512], uid[UID_BYTES];
    uid_of(uid, c->index);
    put_frame(c, text, (size_t)sprintf(text,
        "421[\"chat\",{\"EvtType\":\"display\",\"From\":\"" GROUP_ID "\",\"Originated\":\"%s\","
        "\"To\":\"" GROUP_ID "\",\"MsgID\":\"\",\"Timestamp\":1700000000,\"Body\":\"\","
        "\"ConvID\":\"" GROUP_ID "\",\"Seq\":%d}]", uid, options.bytes - MESSAGES + ++c->sent));
}

static void go_on_reading(struct conn *c)
{
    if (c->confirmed < c->sent) return;
    for (int k = 0; k < options.in_flight && c->sent < MESSAGES; k++) put_display(c);
}

/* When the message `number` is due; it is as late as it comes after that. */
static uint64_t due_us(uint64_t number) { return began_us + number * 1000000 / (uint64_t)options.in_flight; }

uint64_t next_due_us(void) { return due_us(next_id - first_id); }

/* Send what is due by now, in turn, however late the server is with what came before. */
void offer(void)
{
    while (next_due_us() <= now_us()) {
        struct conn *c = &conns[(next_id - first_id) % (uint64_t)options.count * 2];
        put_message(c);
    }
}

/* The MsgID in a message or ack; 0: none, or one of before `begin`. */
static uint64_t id_in(const char *text, size_t len)
{
    const char *at = memmem(text, len, "\"MsgID\":\"", 9);
    uint64_t id = at ? strtoull(at + 9, NULL, 16) : 0;
    return id >= first_id ? id : 0;
}

static void note_latency(struct histogram *h, uint64_t id) { note(h, now_us() - due_us(id - first_id)); }

/* A message is done when it is acked, and in a pair received, too; then the next one goes. */
static void go_on_sending(struct conn *c)
{
    int done = options.mode == PAIRS && c->received < c->confirmed ? c->received : c->confirmed;
    while (c->sent - done < options.in_flight) put_message(c);
}

static void on_ack(struct conn *c, const char *text, size_t len)
{
    if (!memmem(text, len, "\"ok\":true", 9)) die("refused", strndup(text, len));
    acked++;
    c->confirmed++;
    if (options.mode == READERS) go_on_reading(c);
    else if (options.mode == OFFERED) note_latency(&ack_us, id_in(text, len));
    else go_on_sending(c);
}

static void on_received(struct conn *c, const char *text, size_t len)
{
    uint64_t id = id_in(text, len);
    if (!id) return;
    received++;
    if (options.mode == OFFERED) {
        note_latency(&receive_us, id);
        return;
    }
    struct conn *sender = &conns[c->index ^ 1];
    sender->received++;
    go_on_sending(sender);
}

static void on_chat(struct conn *c, const char *text, size_t len)
{
    if (options.mode == READERS) received += memmem(text, len, "\"receipts\"", 10) != NULL;
    else if (!memmem(text, len, "\"message\"", 9)) return;
    else if (options.mode <= OFFERED) on_received(c, text, len);
    else received++;
}

/* A packet for a device that has joined. */
void hear(struct conn *c, const char *text, size_t len)
{
    if (len == 1 && text[0] == '2') put_frame(c, "3", 1);
    else if (begins(text, len, "431[")) on_ack(c, text, len);
    else if (begins(text, len, "42[\"chat\"")) on_chat(c, text, len);
    else if (begins(text, len, "42[\"error\"")) die("error event", strndup(text, len));
}

/* First messages or displays. */
void begin(void)
{
    int senders = options.mode == PAIRS ? total : options.mode == GROUP ? 1 : 0;
    began_us = now_us();
    first_id = next_id = began_us << 12;
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
