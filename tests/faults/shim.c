/* Faults of the system, for tests: the n-th call that changes a file fails, or ends the process.
 *
 * Loaded with LD_PRELOAD and armed from inside (ctypes): fault_arm(n, action, errno). Calls are counted
 * from 1; fault_count() says how many there were. It also counts opens outside a folder, so that a test
 * can prove that there were none.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

enum action { NOTHING, FAIL, KILL_BEFORE, KILL_AFTER, TEAR, SHORT };

static long wanted, count, strays;
static enum action action;
static int error;
static char folder[4096], stray[4096];

void fault_arm(long n, int what, int number)
{
    count = 0;
    wanted = n;
    action = (enum action)what;
    error = number;
}

long fault_count(void) { return count; }

void fault_watch(const char *inside)
{
    strncpy(folder, inside, sizeof folder - 1);
    strays = 0;
}

long fault_strays(void) { return strays; }
const char *fault_stray(void) { return stray; }

static void die(void) { kill(getpid(), SIGKILL); }

static int due(void) { return wanted && ++count == wanted; }

#define REAL(name) __typeof__(&name) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

/* A call that does one thing or nothing. */
#define CALL(name, ...)                                                                            \
    do {                                                                                           \
        REAL(name);                                                                                \
        if (!due())                                                                                \
            return real(__VA_ARGS__);                                                              \
        if (action == FAIL) {                                                                      \
            errno = error;                                                                         \
            return -1;                                                                             \
        }                                                                                          \
        if (action == KILL_BEFORE || action == TEAR)                                               \
            die();                                                                                 \
        int done = real(__VA_ARGS__);                                                              \
        if (action == KILL_AFTER)                                                                  \
            die();                                                                                 \
        return done;                                                                               \
    } while (0)

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at)
{
    REAL(pwrite64);
    if (!due())
        return real(fd, data, size, at);
    switch (action) {
    case FAIL:
        errno = error;
        return -1;
    case KILL_BEFORE:
        die();
        break;
    case TEAR:
        real(fd, data, size / 2, at);
        die();
        break;
    case SHORT:
        return real(fd, data, size > 1 ? size / 2 : size, at);
    default:
        break;
    }
    ssize_t done = real(fd, data, size, at);
    if (action == KILL_AFTER)
        die();
    return done;
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at) { return pwrite64(fd, data, size, at); }

int fsync(int fd) { CALL(fsync, fd); }
int fdatasync(int fd) { CALL(fdatasync, fd); }
int ftruncate64(int fd, off64_t size) { CALL(ftruncate64, fd, size); }
int fchmod(int fd, mode_t mode) { CALL(fchmod, fd, mode); }
int unlink(const char *path) { CALL(unlink, path); }
int rename(const char *from, const char *to) { CALL(rename, from, to); }
int linkat(int d, const char *a, int e, const char *b, int f) { CALL(linkat, d, a, e, b, f); }

static void look(const char *path)
{
    if (folder[0] && path[0] == '/' && strncmp(path, folder, strlen(folder)) != 0) {
        strays++;
        strncpy(stray, path, sizeof stray - 1);
    }
}

int open64(const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    mode_t mode = va_arg(rest, mode_t);
    va_end(rest);
    look(path);
    if (!(flags & O_CREAT)) {
        REAL(open64);
        return real(path, flags, mode);
    }
    CALL(open64, path, flags, mode);
}

int open(const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    mode_t mode = va_arg(rest, mode_t);
    va_end(rest);
    return open64(path, flags, mode);
}
