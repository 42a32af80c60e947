/* The dialect of Socket.IO (engine.io-protocol 4, socket.io-protocol 5), with the events of webchat. */
#include "load.h"

#include <stdio.h>
#include <string.h>

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

/* An answer to what a device says until it has joined; whether it was one. */
static int is_on_the_way(struct conn *c, const char *text, size_t len)
{
    if (c->stage == OPENING && begins(text, len, "0")) {
        put_connect(c);
        c->stage = ENTERING;
    } else if (c->stage == ENTERING && begins(text, len, "40")) {
        put_join(c);
        c->stage = JOINING;
    } else if (c->stage == JOINING && begins(text, len, "430[")) {
        if (!memmem(text, len, "\"ok\":true", 9)) die("join refused", strndup(text, len));
        has_joined(c);
    } else {
        return 0;
    }
    return 1;
}

static void on_chat(struct conn *c, const char *text, size_t len)
{
    if (options.mode == READERS) received += memmem(text, len, "\"receipts\"", 10) != NULL;
    else if (memmem(text, len, "\"message\"", 9)) on_message(c, number_in(text, len));
}

static void take(struct conn *c, const char *text, size_t len)
{
    if (c->stage != LIVE && is_on_the_way(c, text, len)) return;
    if (len == 1 && text[0] == '2') {
        put_frame(c, "3", 1);
    } else if (begins(text, len, "431[")) {
        if (!memmem(text, len, "\"ok\":true", 9)) die("refused", strndup(text, len));
        on_ack(c, number_in(text, len));
    } else if (begins(text, len, "42[\"chat\"")) {
        on_chat(c, text, len);
    } else if (begins(text, len, "42[\"error\"")) {
        die("error event", strndup(text, len));
    } else if (begins(text, len, "44")) {
        die("connect refused", strndup(text, len));
    }
}

static void put_message(struct conn *c, uint64_t number)
{
    static char text[OUT_BYTES];
    int len = sprintf(text, "421[\"chat\",");
    put_frame(c, text, fill_message(text, len, c, number, "]"));
}

static void put_display(struct conn *c, int seq)
{
    char text[512], uid[UID_BYTES];
    uid_of(uid, c->index);
    put_frame(c, text, (size_t)sprintf(text,
        "421[\"chat\",{\"EvtType\":\"display\",\"From\":\"" GROUP_ID "\",\"Originated\":\"%s\","
        "\"To\":\"" GROUP_ID "\",\"MsgID\":\"\",\"Timestamp\":1700000000,\"Body\":\"\","
        "\"ConvID\":\"" GROUP_ID "\",\"Seq\":%d}]", uid, seq));
}

const struct dialect socketio = {
    .name = "socketio",
    .path = "/socket.io/?EIO=4&transport=websocket",
    .last = STORM,
    .take = take,
    .put_message = put_message,
    .put_display = put_display,
};
