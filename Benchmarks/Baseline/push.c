#define _GNU_SOURCE
#include "baseline.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    BLOCK = 256 << 10,
    /* As the migration's sockets have. */
    SEND_BUFFER = 1 << 20,
};

static void give_up(const char *what) {
    perror(what);
    _exit(70);
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* In a child of a process with threads: nothing but system calls. */
static void receive(int socket, size_t count, bool keeps) {
    size_t room = keeps ? count : BLOCK;
    char *memory = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) _exit(70);
    for (size_t done = 0; done < count;) {
        size_t wanted = count - done < BLOCK ? count - done : BLOCK;
        ssize_t got = read(socket, keeps ? memory + done : memory, wanted);
        if (got <= 0) _exit(70);
        done += (size_t)got;
    }
    if (write(socket, "", 1) != 1) _exit(70);
    _exit(0);
}

double baseline_push(const void *bytes, size_t count, bool keeps) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) give_up("socketpair");
    int size = SEND_BUFFER;
    setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    pid_t child = fork();
    if (child < 0) give_up("fork");
    if (child == 0) {
        close(ends[0]);
        receive(ends[1], count, keeps);
    }
    close(ends[1]);
    double started = now();
    for (size_t done = 0; done < count;) {
        size_t wanted = count - done < BLOCK ? count - done : BLOCK;
        ssize_t sent = send(ends[0], (const char *)bytes + done, wanted, MSG_NOSIGNAL);
        if (sent < 0) give_up("send");
        done += (size_t)sent;
    }
    char acknowledged;
    if (read(ends[0], &acknowledged, 1) != 1) give_up("read");
    double taken = now() - started;
    close(ends[0]);
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {
    }
    return taken;
}
