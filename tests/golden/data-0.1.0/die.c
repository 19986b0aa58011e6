/* Ends the program that it is loaded into with SIGKILL beside a line of its action log: DIE_AFTER=n once the n-th line of this
   process is durable, DIE_BEFORE=n where the n-th would be written. What a power cut does there by chance. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int is_log(int fd) {
    char link[64], name[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, name, sizeof name - 1);
    if (n < 12) return 0;
    name[n] = 0;
    return strcmp(name + n - 12, "/actions.log") == 0;
}

static void count(const char *variable, int *seen, int fd) {
    const char *at = getenv(variable);
    if (at && is_log(fd) && ++*seen == atoi(at)) {
        kill(getpid(), SIGKILL);
        pause();
    }
}

ssize_t write(int fd, const void *bytes, size_t n) {
    static int seen;
    static ssize_t (*real)(int, const void *, size_t);
    if (!real) real = dlsym(RTLD_NEXT, "write");
    count("DIE_BEFORE", &seen, fd);
    return real(fd, bytes, n);
}

int fdatasync(int fd) {
    static int seen;
    static int (*real)(int);
    if (!real) real = dlsym(RTLD_NEXT, "fdatasync");
    int done = real(fd);
    count("DIE_AFTER", &seen, fd);
    return done;
}
