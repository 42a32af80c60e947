/* The dialect of Tinode 0.25: each device makes itself an account without a password, two that chat
 * subscribe to one another, and the ack of a message is the server's word on its `pub`. Its pings are
 * not answered: a run is over before the 55 s in which it wants an answer. */
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HI = 1, ACCOUNT, SUBSCRIBE, FIRST_PUB }; /* numbers of commands */
static char (*users)[UID_BYTES];                /* what the server calls them, by connection */

static const char *name_of(const struct conn *c) { return users[c->index]; }

static struct conn *partner_of(const struct conn *c) { return &conns[c->index ^ 1]; }

static void put_account(struct conn *c)
{
    char text[256];
    put_frame(c, text, (size_t)sprintf(text,
        "{\"acc\":{\"id\":\"%d\",\"user\":\"new\",\"scheme\":\"anonymous\",\"login\":true,"
        "\"desc\":{\"defacs\":{\"auth\":\"JRWPA\",\"anon\":\"JRWPA\"}}}}", ACCOUNT));
}

static void put_subscribe(struct conn *c)
{
    char text[128];
    put_frame(c, text, (size_t)sprintf(text,
        "{\"sub\":{\"id\":\"%d\",\"topic\":\"%s\"}}", SUBSCRIBE, name_of(partner_of(c))));
}

static void keep_name(const struct conn *c, const char *text, size_t len)
{
    const char *at = memmem(text, len, "\"user\":\"", 8);
    if (!at) die("account without a user", strndup(text, len));
    if (!users) users = calloc((size_t)total, sizeof *users);
    snprintf(users[c->index], UID_BYTES, "%.*s", (int)strcspn(at + 8, "\""), at + 8);
}

/* The second of two that chat subscribes first, when both have accounts. */
static void on_subscribed(struct conn *c)
{
    if (c->index % 2) put_subscribe(partner_of(c));
    else has_joined(partner_of(c));
}

static void on_ctrl(struct conn *c, const char *text, size_t len)
{
    const char *id = memmem(text, len, "\"id\":\"", 6), *code = memmem(text, len, "\"code\":", 7);
    if (!code || code[7] != '2') die("refused", strndup(text, len));
    int command = id ? atoi(id + 6) : 0;
    if (command >= FIRST_PUB) {
        on_ack(c, (uint64_t)(command - FIRST_PUB));
    } else if (command == HI) {
        put_account(c);
    } else if (command == ACCOUNT) {
        keep_name(c, text, len);
        if (c->index % 2) put_subscribe(c);
        else has_joined(c);
    } else if (command == SUBSCRIBE) {
        on_subscribed(c);
    }
}

/* What is neither an answer nor a message, such as who is there, is of no interest. */
static void take(struct conn *c, const char *text, size_t len)
{
    if (begins(text, len, "{\"ctrl\":")) on_ctrl(c, text, len);
    else if (begins(text, len, "{\"data\":")) on_message(c, number_in(text, len));
}

static void put_message(struct conn *c, uint64_t number)
{
    static char text[OUT_BYTES];
    int len = sprintf(text, "{\"pub\":{\"id\":\"%llu\",\"topic\":\"%s\",\"noecho\":true,\"content\":",
        (unsigned long long)number + FIRST_PUB, name_of(partner_of(c)));
    put_frame(c, text, fill_message(text, len, c, number, "}}"));
}

const struct dialect tinode = {
    .name = "tinode",
    .path = "/v0/channels?apikey=AQEAAAABAAD_rAp4DJh05a1HAwFT3A6K", /* of the salt that all know */
    .last = OFFERED,
    .greeting = "{\"hi\":{\"id\":\"1\",\"ver\":\"0.25\",\"ua\":\"load\"}}",
    .take = take,
    .put_message = put_message,
};
