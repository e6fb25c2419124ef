/* The file behind the spill arena, as each system offers it: without a name, reserved for real, with access hints. */
#ifndef SILTSTONE_ARENA_FILE_H
#define SILTSTONE_ARENA_FILE_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define ARENA_FILE_PREFIX ".siltstone-spill-"

/* Remove names that a killed process left between making its file and unlinking it.  A living process that is just
 * there loses nothing: it is about to remove the name itself. */
static inline void arena_file_sweep(const char *folder)
{
    DIR *listing = opendir(folder);
    struct dirent *entry;
    if (listing == NULL)
        return;
    while ((entry = readdir(listing)) != NULL)
        if (strncmp(entry->d_name, ARENA_FILE_PREFIX, sizeof(ARENA_FILE_PREFIX) - 1) == 0)
            (void)unlinkat(dirfd(listing), entry->d_name, 0);
    closedir(listing);
}

static inline int arena_file_named(const char *folder)
{
    size_t room = strlen(folder) + sizeof(ARENA_FILE_PREFIX) + 8;
    char *path = (char *)malloc(room);
    int descriptor, failure;
    if (path == NULL) {
        errno = ENOMEM;
        return -1;
    }
    arena_file_sweep(folder);
    (void)snprintf(path, room, "%s/%sXXXXXX", folder, ARENA_FILE_PREFIX);
    descriptor = mkstemp(path);
    failure = errno;
    if (descriptor >= 0) {
        (void)unlink(path);
        (void)fcntl(descriptor, F_SETFD, FD_CLOEXEC);
    }
    free(path);
    errno = failure;
    return descriptor;
}

/* Return the descriptor of an empty file in *folder* that has no name, or -1 with errno: nothing stays after any end. */
static inline int arena_file_open(const char *folder, int anonymous)
{
#ifdef O_TMPFILE
    if (anonymous) {
        int descriptor = open(folder, O_TMPFILE | O_RDWR | O_EXCL | O_CLOEXEC, 0600);
        if (descriptor >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL && errno != ENOENT))
            return descriptor;
    }
#else
    (void)anonymous;
#endif
    return arena_file_named(folder);
}

/* Make the disk hold *size* bytes more from *offset* on; 0 or an errno.  A sparse file would take the process down with
 * SIGBUS on a full disk; this fails here instead. */
static inline int arena_file_reserve(int descriptor, int64_t offset, int64_t size)
{
#ifdef __APPLE__
    fstore_t store = {F_ALLOCATEALL, F_PEOFPOSMODE, 0, (off_t)size, 0};
    if (fcntl(descriptor, F_PREALLOCATE, &store) != 0 || ftruncate(descriptor, (off_t)(offset + size)) != 0)
        return errno;
    return 0;
#else
    int result;
    do
        result = posix_fallocate(descriptor, (off_t)offset, (off_t)size);
    while (result == EINTR);
    return result;
#endif
}

/* Map *size* bytes to read.  They may reach past the end of the file: only what was reserved and written is touched. */
static inline const uint8_t *arena_file_map(int descriptor, int64_t size)
{
    void *start = mmap(NULL, (size_t)size, PROT_READ, MAP_SHARED, descriptor, 0);
    if (start == MAP_FAILED)
        return NULL;
#ifdef MADV_RANDOM
    (void)madvise(start, (size_t)size, MADV_RANDOM); /* objects come back in no order: reading ahead is waste */
#endif
    return (const uint8_t *)start;
}

/* Give the mapped pages back to the system; their bytes stay in the file, and who still reads them maps them again. */
static inline void arena_file_forget(const uint8_t *start, int64_t size)
{
    (void)madvise((void *)start, (size_t)size, MADV_DONTNEED);
}

/* Say that a piece will be read from its start to its end soon. */
static inline void arena_file_expect(int descriptor, int64_t offset, int64_t size)
{
#ifdef POSIX_FADV_WILLNEED
    (void)posix_fadvise(descriptor, (off_t)offset, (off_t)size, POSIX_FADV_WILLNEED);
#else
    (void)descriptor;
    (void)offset;
    (void)size;
#endif
}

/* Write all of *data*; 0 or an errno.  Not through the mapping: a write that fails must fail, and pages that are only
 * written should not count as memory of this process. */
static inline int arena_file_write(int descriptor, const uint8_t *data, int64_t size, int64_t offset)
{
    while (size > 0) {
        ssize_t done = pwrite(descriptor, data, (size_t)size, (off_t)offset);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return done < 0 ? errno : EIO;
        data += done;
        offset += done;
        size -= done;
    }
    return 0;
}

/* Read exactly *size* bytes; 0 or an errno. */
static inline int arena_file_read(int descriptor, uint8_t *target, int64_t size, int64_t offset)
{
    while (size > 0) {
        ssize_t done = pread(descriptor, target, (size_t)size, (off_t)offset);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return done < 0 ? errno : EIO;
        target += done;
        offset += done;
        size -= done;
    }
    return 0;
}

/* Return which process this is: a child shares the file with its parent, and would write where the parent writes. */
static inline int64_t arena_file_process(void)
{
    return (int64_t)getpid();
}

static inline void arena_file_close(int descriptor, const uint8_t *start, int64_t size)
{
    if (start != NULL)
        (void)munmap((void *)start, (size_t)size);
    if (descriptor >= 0)
        (void)close(descriptor);
}

#endif
