/* What the parts of the load client share: connections, dialects, and the options. */
#ifndef LOAD_H
#define LOAD_H

#define _GNU_SOURCE
#include <stddef.h>
#include <stdint.h>

enum { IN_BYTES = 32768, OUT_BYTES = 16384, UID_BYTES = 24 };
#define GROUP_ID "group_bench"

enum mode { PAIRS, OFFERED, GROUP, IDLE, READERS, KNOWN, STORM, MODES };
enum stage { NEW, DIALLING, UPGRADING, OPENING, ENTERING, JOINING, LIVE };

struct conn {
    int fd, index;
    enum stage stage;
    int sent, confirmed, received; /* messages or displays of this device; `received`: by its partner */
    size_t in_len, out_len;
    char *in, *out;
};

/* How a kind of server is spoken to. */
struct dialect {
    const char *name, *path;  /* `path`: of its WebSocket */
    enum mode last;           /* of the modes that can be said in it */
    const char *greeting;     /* what a client says first; NULL: the server does */
    void (*take)(struct conn *c, const char *text, size_t len); /* a frame; says who `has_joined` */
    void (*put_message)(struct conn *c, uint64_t number);
    void (*put_display)(struct conn *c, int seq);
};

struct options {
    const struct dialect *dialect;
    enum mode mode;
    const char *host;
    int ports[16], port_count;
    int count;         /* of pairs, members or devices */
    int in_flight;     /* messages; offered: a second; known, storm: conversations of a user */
    int bytes;         /* of a message; readers, known, storm: the last Seq of a conversation */
    int first_uid;     /* of the first connection */
    int has_tokens;    /* log in, rather than name the user */
};

extern struct options options;
extern struct conn *conns;
extern int total; /* connections */

/* main.c */
void has_joined(struct conn *c);

/* wire.c: WebSocket frames (RFC 6455), clocks, and the end in case of a fault. */
void die(const char *what, const char *more) __attribute__((noreturn));
uint64_t now_us(void);
uint64_t cpu_us(void);
void put_bytes(struct conn *c, const char *bytes, size_t len);
void put_frame(struct conn *c, const char *text, size_t len);
void flush_all(void);
size_t next_frame(const char *at, size_t len, const char **text, size_t *text_len);
int begins(const char *text, size_t len, const char *beginning);

/* dialling.c: from nothing to a WebSocket. */
void dial(struct conn *c, int index);
void on_writable(struct conn *c);
void on_upgraded(struct conn *c);

/* socketio.c, centrifugo.c, tinode.c */
extern const struct dialect socketio, centrifugo, tinode;

/* traffic.c: what joined devices say when, and what they make of what they hear. */
extern uint64_t acked, received;
int uid_of(char *to, int index);
size_t fill_message(char *text, int len, const struct conn *c, uint64_t number, const char *end);
uint64_t number_in(const char *text, size_t len);
void on_ack(struct conn *c, uint64_t number);
void on_message(struct conn *c, uint64_t number);
void begin(void);
int is_done(void);
uint64_t next_due_us(void);
void offer(void);
void reset_counts(void);
void print_latencies(void);

/* histogram.c: counts by value with a bounded relative error. */
enum { HISTOGRAM_CELLS = 64 * 32 };
struct histogram { uint64_t cells[HISTOGRAM_CELLS], count, most; };
void note(struct histogram *h, uint64_t value);
uint64_t percentile(const struct histogram *h, double share);

#endif
