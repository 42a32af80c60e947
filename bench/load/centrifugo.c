/* The dialect of Centrifugo: its bidirectional protocol in JSON. A channel for each user and one for
 * the group; the ack of a message is the reply to its publish. */
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONNECT = 1, SUBSCRIBE, SUBSCRIBE_GROUP, FIRST_PUBLISH }; /* numbers of commands */

static void put_subscribe(struct conn *c, unsigned long command, const char *channel)
{
    char text[128];
    put_frame(c, text, (size_t)sprintf(text,
        "{\"id\":%lu,\"subscribe\":{\"channel\":\"%s\"}}", command, channel));
}

static void put_message(struct conn *c, uint64_t number)
{
    static char text[OUT_BYTES];
    char to[UID_BYTES] = GROUP_ID;
    if (options.mode != GROUP) uid_of(to, c->index ^ 1);
    int len = sprintf(text, "{\"id\":%llu,\"publish\":{\"channel\":\"%s\",\"data\":",
        (unsigned long long)number + FIRST_PUBLISH, to);
    put_frame(c, text, fill_message(text, len, c, number, "}}"));
}

/* The reply to a command. */
static void on_reply(struct conn *c, unsigned long command)
{
    char uid[UID_BYTES];
    uid_of(uid, c->index);
    if (command >= FIRST_PUBLISH) {
        on_ack(c, command - FIRST_PUBLISH);
    } else if (command == CONNECT) {
        put_subscribe(c, SUBSCRIBE, uid);
    } else if (command == SUBSCRIBE && options.mode == GROUP) {
        put_subscribe(c, SUBSCRIBE_GROUP, GROUP_ID);
    } else {
        has_joined(c);
    }
}

static void take_line(struct conn *c, const char *text, size_t len)
{
    if (begins(text, len, "{\"id\":")) {
        if (memmem(text, len, "\"error\":", 8)) die("refused", strndup(text, len));
        on_reply(c, strtoul(text + 6, NULL, 10));
    } else if (begins(text, len, "{\"push\":{\"channel\":") && memmem(text, len, "\"pub\":", 6)) {
        on_message(c, number_in(text, len));
    } else if (len == 2) {
        put_frame(c, "{}", 2);
    } else {
        die("unexpected", strndup(text, len));
    }
}

/* A frame: one reply, push or ping a line. */
static void take(struct conn *c, const char *text, size_t len)
{
    const char *end = text + len, *stop;
    for (; text < end; text = stop + 1) {
        stop = memchr(text, '\n', (size_t)(end - text));
        if (!stop) stop = end;
        take_line(c, text, (size_t)(stop - text));
    }
}

const struct dialect centrifugo = {
    .name = "centrifugo",
    .path = "/connection/websocket",
    .last = IDLE,
    .greeting = "{\"id\":1,\"connect\":{}}",
    .take = take,
    .put_message = put_message,
};
