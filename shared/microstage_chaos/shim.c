/* Stands between a program and the C library (LD_PRELOAD): counts the calls that change files below one folder, and
 * at a chosen one kills the program, or lets that call and every later one fail.
 *
 * SHIM_UNDER    the folder; nothing outside it is counted
 * SHIM_SHARED   a file of one page that all processes map: how many calls there were, and which process was first
 * SHIM_AT       the call, from 1; 0 is none
 * SHIM_DO       kill: the calling process; power: the first process and the calling one;
 *               full: ENOSPC, after half of what was to be written; readonly: EROFS
 * SHIM_JOURNAL  a file that gets lines of what was done, each after the number of its call:
 *               W inode | S inode | C parent path | M parent path | U parent path | R parent new old
 *               (written, synced, created, made a folder, unlinked, renamed; `parent` is the folder's inode)
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define JOURNAL_FD 700
#define NEXT(name, type) ((type)dlsym(RTLD_NEXT, name))

typedef struct {
    atomic_long calls;
    atomic_int first;
} shared_t;

typedef enum { CREATES = 1, WRITES = 2, CHANGES = 4 } kind_t;

static shared_t *shared;
static const char *under, *does;
static long at;
static size_t under_length;
static __thread long call; /* the number of the call at hand */

/* Take what the variables say from now on; a server that forks calls it again in each child. */
__attribute__((constructor)) void shim_begin(void) {
    const char *file = getenv("SHIM_SHARED"), *journal = getenv("SHIM_JOURNAL");
    under = getenv("SHIM_UNDER");
    does = getenv("SHIM_DO") ? getenv("SHIM_DO") : "";
    at = getenv("SHIM_AT") ? atol(getenv("SHIM_AT")) : 0;
    int (*opened)(const char *, int, ...) = NEXT("open", int (*)(const char *, int, ...));
    int fd = file && under ? opened(file, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0) {
        under = NULL;
        return;
    }
    under_length = strlen(under);
    void *page = mmap(NULL, sizeof(shared_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (page == MAP_FAILED) {
        under = NULL;
        return;
    }
    shared = page;
    int none = 0;
    atomic_compare_exchange_strong(&shared->first, &none, (int)getpid());
    if (journal && (fd = opened(journal, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666)) >= 0) {
        dup3(fd, JOURNAL_FD, O_CLOEXEC);
        close(fd);
    }
}

/* Write the absolute path of `path` beside the folder `folder` to `full`; whether it lies below the folder watched. */
static int below(int folder, const char *path, char *full) {
    if (!under || !path) {
        return 0;
    }
    if (path[0] == '/') {
        snprintf(full, PATH_MAX, "%s", path);
    } else {
        char link[64], base[PATH_MAX];
        if (folder == AT_FDCWD) {
            if (!getcwd(base, sizeof base)) {
                return 0;
            }
        } else {
            snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
            ssize_t length = readlink(link, base, sizeof base - 1);
            if (length < 0) {
                return 0;
            }
            base[length] = 0;
        }
        if (snprintf(full, PATH_MAX, "%s/%s", base, path) >= PATH_MAX) {
            return 0;
        }
    }
    return !strncmp(full, under, under_length) && (full[under_length] == '/' || !full[under_length]);
}

/* The same of a file that is open. */
static int open_below(int fd) {
    char link[64], full[PATH_MAX];
    if (!under) {
        return 0;
    }
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, full, sizeof full - 1);
    if (length < 0) {
        return 0;
    }
    full[length] = 0;
    return !strncmp(full, under, under_length) && full[under_length] == '/';
}

/* Count a call; 0, or the errno with which it is to fail. Does not return where the program is to be killed. */
static int counted(kind_t kind) {
    long now = atomic_fetch_add(&shared->calls, 1) + 1;
    call = now;
    if (!at || now < at) {
        return 0;
    }
    if (now == at && (!strcmp(does, "kill") || !strcmp(does, "power"))) {
        if (does[0] == 'p') {
            kill(atomic_load(&shared->first), SIGKILL);
        }
        kill(getpid(), SIGKILL);
        pause();
    }
    if (!strcmp(does, "full") && kind & (CREATES | WRITES)) {
        return ENOSPC;
    }
    return strcmp(does, "readonly") ? 0 : EROFS;
}

static void note(const char *format, ...) {
    char line[3 * PATH_MAX];
    va_list values;
    va_start(values, format);
    int length = vsnprintf(line, sizeof line, format, values);
    va_end(values);
    if (length > 0) {
        NEXT("write", ssize_t(*)(int, const void *, size_t))(JOURNAL_FD, line, (size_t)length);
    }
}

static void note_file(char what, int fd) {
    struct stat found;
    if (!fstat(fd, &found)) {
        note("%ld\t%c\t%lu\n", call, what, (unsigned long)found.st_ino);
    }
}

static unsigned long parent(const char *full) {
    char folder[PATH_MAX];
    struct stat found;
    snprintf(folder, sizeof folder, "%s", full);
    char *slash = strrchr(folder, '/');
    if (slash) {
        *slash = 0;
    }
    return stat(folder, &found) ? 0 : (unsigned long)found.st_ino;
}

static void note_entry(char what, const char *full) {
    note("%ld\t%c\t%lu\t%s\n", call, what, parent(full), full);
}

static int fails(int code) {
    errno = code;
    return -1;
}

static int opening(const char *real, int folder, const char *path, int flags, mode_t mode) {
    char full[PATH_MAX];
    int (*next)(int, const char *, int, ...) = NEXT(real, int (*)(int, const char *, int, ...));
    int changes = flags & (O_CREAT | O_TRUNC) && below(folder, path, full);
    if (!changes) {
        return next(folder, path, flags, mode);
    }
    int is_new = access(full, F_OK) != 0;
    int code = counted(is_new ? CREATES : CHANGES);
    if (code) {
        return fails(code);
    }
    int fd = next(folder, path, flags, mode);
    if (fd >= 0 && is_new) {
        note_entry('C', full);
    }
    if (fd >= 0 && flags & O_TRUNC) {
        note_file('W', fd);
    }
    return fd;
}

static mode_t mode_of(int flags, va_list more) {
    return flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;
}

#define OPEN(name)                                               \
    int name(const char *path, int flags, ...) {                 \
        va_list more;                                            \
        va_start(more, flags);                                   \
        mode_t mode = mode_of(flags, more);                      \
        va_end(more);                                            \
        return opening("openat", AT_FDCWD, path, flags, mode);   \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                             \
    int name(int folder, const char *path, int flags, ...) {     \
        va_list more;                                            \
        va_start(more, flags);                                   \
        mode_t mode = mode_of(flags, more);                      \
        va_end(more);                                            \
        return opening("openat", folder, path, flags, mode);     \
    }
OPENAT(openat)
OPENAT(openat64)

ssize_t write(int fd, const void *from, size_t count) {
    ssize_t (*next)(int, const void *, size_t) = NEXT("write", ssize_t(*)(int, const void *, size_t));
    if (!open_below(fd)) {
        return next(fd, from, count);
    }
    int code = counted(WRITES);
    if (code == ENOSPC && count > 1 && call == at) {
        note_file('W', fd);
        return next(fd, from, count / 2); /* what fits; the rest fails */
    }
    if (code) {
        return fails(code);
    }
    ssize_t done = next(fd, from, count);
    note_file('W', fd);
    return done;
}

#define SENDFILE(name, offset_t)                                                                        \
    ssize_t name(int to, int from, offset_t *offset, size_t count) {                                    \
        ssize_t (*next)(int, int, offset_t *, size_t) = NEXT(#name, ssize_t(*)(int, int, offset_t *, size_t)); \
        int code = open_below(to) ? counted(WRITES) : 0;                                                \
        if (code) {                                                                                     \
            return fails(code);                                                                         \
        }                                                                                               \
        ssize_t done = next(to, from, offset, count);                                                   \
        if (open_below(to)) {                                                                           \
            note_file('W', to);                                                                         \
        }                                                                                               \
        return done;                                                                                    \
    }
SENDFILE(sendfile, off_t)
SENDFILE(sendfile64, off64_t)

#define TRUNCATE(name, length_t)                                              \
    int name(int fd, length_t length) {                                       \
        int code = open_below(fd) ? counted(CHANGES) : 0;                     \
        if (code) {                                                           \
            return fails(code);                                               \
        }                                                                     \
        int done = NEXT(#name, int (*)(int, length_t))(fd, length);           \
        if (!done && open_below(fd)) {                                        \
            note_file('W', fd);                                               \
        }                                                                     \
        return done;                                                          \
    }
TRUNCATE(ftruncate, off_t)
TRUNCATE(ftruncate64, off64_t)

#define SYNC(name)                                                  \
    int name(int fd) {                                              \
        int code = open_below(fd) ? counted(CHANGES) : 0;           \
        if (code) {                                                 \
            return fails(code);                                     \
        }                                                           \
        int done = NEXT(#name, int (*)(int))(fd);                   \
        if (!done && under) {                                       \
            note_file('S', fd);                                     \
        }                                                           \
        return done;                                                \
    }
SYNC(fsync)
SYNC(fdatasync)

int renameat(int old_folder, const char *old, int new_folder, const char *new) {
    char from[PATH_MAX], to[PATH_MAX];
    int (*next)(int, const char *, int, const char *) = NEXT("renameat", int (*)(int, const char *, int, const char *));
    if (!below(old_folder, old, from) || !below(new_folder, new, to)) {
        return next(old_folder, old, new_folder, new);
    }
    int code = counted(CHANGES);
    if (code) {
        return fails(code);
    }
    int done = next(old_folder, old, new_folder, new);
    if (!done) {
        note("%ld\tR\t%lu\t%s\t%s\n", call, parent(to), to, from);
    }
    return done;
}

int rename(const char *old, const char *new) {
    return renameat(AT_FDCWD, old, AT_FDCWD, new);
}

int mkdirat(int folder, const char *path, mode_t mode) {
    char full[PATH_MAX];
    int (*next)(int, const char *, mode_t) = NEXT("mkdirat", int (*)(int, const char *, mode_t));
    if (!below(folder, path, full) || !access(full, F_OK)) {
        return next(folder, path, mode);
    }
    int code = counted(CREATES);
    if (code) {
        return fails(code);
    }
    int done = next(folder, path, mode);
    if (!done) {
        note_entry('M', full);
    }
    return done;
}

int mkdir(const char *path, mode_t mode) {
    return mkdirat(AT_FDCWD, path, mode);
}

int unlinkat(int folder, const char *path, int flags) {
    char full[PATH_MAX];
    int (*next)(int, const char *, int) = NEXT("unlinkat", int (*)(int, const char *, int));
    if (!below(folder, path, full) || access(full, F_OK)) {
        return next(folder, path, flags);
    }
    int code = counted(CHANGES);
    if (code) {
        return fails(code);
    }
    int done = next(folder, path, flags);
    if (!done) {
        note_entry('U', full);
    }
    return done;
}

int unlink(const char *path) {
    return unlinkat(AT_FDCWD, path, 0);
}

int rmdir(const char *path) {
    return unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}
