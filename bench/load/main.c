/* The load: clients over WebSocket in one thread, lean enough never to be the bottleneck.
 *
 * usage: load DIALECT MODE HOST PORT[,PORT...] COUNT IN_FLIGHT BYTES FIRST_UID open|secured
 * In the dialect socketio all modes:
 *   pairs: COUNT senders, each with a receiver of its own; IN_FLIGHT messages of BYTES each, a next
 *          one when one is acked and received.
 *   offered: as many pairs; IN_FLIGHT messages a second by all together, in turn, whether or not
 *          those before are acked. Latencies count from when a message was due.
 *   group: COUNT members of a group (room) `group_bench`; the first sends, the others get.
 *   idle:  COUNT connections that have joined and answer pings.
 *   readers: COUNT members; all but the first display the last 100 of BYTES entries of the log,
 *          one after the other, IN_FLIGHT before they wait for the acks. Ends when all are acked.
 *   known: COUNT devices that have all of their user's IN_FLIGHT conversations up to Seq BYTES.
 *   storm: the same, but all connect at once at `go`, and lack the last entry of each
 *          conversation. Ends when all have all.
 * In the dialect centrifugo the modes up to idle, in tinode those of pairs.
 * Connections take the ports in turn, uids count from FIRST_UID; `secured`: they log in with tokens.
 * Says `ready`; `go WARMUP_S SECONDS` on stdin begins, any other line ends it sooner; says
 * `start`, then `end ACKED RECEIVED CPU_US WALL_US`; offered, after it: p50, p99, p99.9 and most, in
 * microseconds, of acks and of receiving. Ends when stdin does. Any fault ends it with a message. */
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { BATCH = 512, STDIN = -1, TIMER = -2 };

struct options options;
struct conn *conns;
int total;
static int epoll, timer, dialled, joined, has_input;

static void watch(int operation, uint32_t events, int fd, int index)
{
    struct epoll_event event = {.events = events, .data.fd = index};
    if (epoll_ctl(epoll, operation, fd, &event)) die("epoll", NULL);
}

void has_joined(struct conn *c)
{
    c->stage = LIVE;
    joined++;
}

static void take_frames(struct conn *c)
{
    size_t done = 0, used, text_len;
    const char *text;
    while ((used = next_frame(c->in + done, c->in_len - done, &text, &text_len))) {
        options.dialect->take(c, text, text_len);
        done += used;
    }
    memmove(c->in, c->in + done, c->in_len -= done);
}

static void on_readable(struct conn *c)
{
    ssize_t got = read(c->fd, c->in + c->in_len, IN_BYTES - c->in_len);
    if (got <= 0) die("read", got == 0 ? "closed by the server" : NULL);
    c->in_len += (size_t)got;
    if (c->stage == UPGRADING) on_upgraded(c);
    if (c->stage > UPGRADING) take_frames(c);
}

static void on_event(struct conn *c)
{
    if (c->stage != DIALLING) {
        on_readable(c);
        return;
    }
    on_writable(c);
    watch(EPOLL_CTL_MOD, EPOLLIN, c->fd, c->index);
}

static void turn(int timeout_ms)
{
    struct epoll_event events[BATCH];
    int n = epoll_wait(epoll, events, BATCH, timeout_ms);
    for (int i = 0; i < n; i++) {
        uint64_t fired;
        if (events[i].data.fd == STDIN) has_input = 1;
        else if (events[i].data.fd != TIMER) on_event(&conns[events[i].data.fd]);
        else if (read(timer, &fired, sizeof fired) > 0) offer();
    }
    flush_all();
}

/* Connect until all have joined, at most `at_once` at a time. */
static void connect_all(int at_once)
{
    while (joined < total) {
        for (; dialled < total && dialled - joined < at_once; dialled++) {
            dial(&conns[dialled], dialled);
            watch(EPOLL_CTL_ADD, EPOLLOUT, conns[dialled].fd, dialled);
        }
        turn(-1);
    }
}

static void wake_when_due(void)
{
    uint64_t due = next_due_us();
    struct itimerspec at = {.it_value = {(time_t)(due / 1000000), (long)(due % 1000000 * 1000)}};
    timerfd_settime(timer, TFD_TIMER_ABSTIME, &at, NULL);
}

static void run_for(double seconds)
{
    uint64_t end = now_us() + (uint64_t)(seconds * 1e6);
    while (now_us() < end && !is_done() && !has_input) {
        if (options.mode == OFFERED) wake_when_due();
        turn(10);
    }
}

static void measure(double warmup_s, double seconds)
{
    int begins_at_once = options.mode == READERS || options.mode == STORM;
    if (!begins_at_once) {
        begin();
        run_for(warmup_s);
    }
    reset_counts();
    puts("start");
    uint64_t wall = now_us(), cpu = cpu_us();
    if (begins_at_once) begin();
    if (options.mode == STORM) connect_all(total);
    run_for(seconds);
    printf("end %llu %llu %llu %llu", (unsigned long long)acked, (unsigned long long)received,
        (unsigned long long)(cpu_us() - cpu), (unsigned long long)(now_us() - wall));
    if (options.mode == OFFERED) print_latencies();
    puts("");
}

static const struct dialect *dialect_of(const char *name)
{
    const struct dialect *all[] = {&socketio, &centrifugo, &tinode};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (!strcmp(name, all[i]->name)) return all[i];
    die("no such dialect", name);
}

static void read_options(int argc, char **argv)
{
    const char *modes[] = {"pairs", "offered", "group", "idle", "readers", "known", "storm"};
    if (argc != 10)
        die("usage", "load DIALECT MODE HOST PORTS COUNT IN_FLIGHT BYTES FIRST_UID open|secured");
    options.dialect = dialect_of(argv[1]);
    while (options.mode < MODES && strcmp(argv[2], modes[options.mode])) options.mode++;
    if (options.mode > options.dialect->last) die("no such mode in this dialect", argv[2]);
    options.host = argv[3];
    for (char *port = strtok(argv[4], ","); port && options.port_count < 16; port = strtok(NULL, ","))
        options.ports[options.port_count++] = atoi(port);
    options.count = atoi(argv[5]);
    options.in_flight = atoi(argv[6]);
    options.bytes = atoi(argv[7]);
    options.first_uid = atoi(argv[8]);
    options.has_tokens = !strcmp(argv[9], "secured");
    total = options.mode <= OFFERED ? 2 * options.count : options.count;
}

int main(int argc, char **argv)
{
    double warmup_s, seconds;
    struct rlimit files;
    read_options(argc, argv);
    setvbuf(stdout, NULL, _IOLBF, 0);
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);

    epoll = epoll_create1(0);
    timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    conns = calloc((size_t)total, sizeof *conns);
    if (options.mode != STORM) connect_all(1);
    watch(EPOLL_CTL_ADD, EPOLLIN, 0, STDIN);
    watch(EPOLL_CTL_ADD, EPOLLIN, timer, TIMER);
    puts("ready");
    while (!has_input) turn(-1);
    has_input = 0;
    if (scanf("go %lf %lf", &warmup_s, &seconds) == 2) measure(warmup_s, seconds);
    return 0;
}
