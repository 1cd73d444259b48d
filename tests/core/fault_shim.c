// Preloaded into a program, makes the MGD_FAULT_AT-th call (from 1) of a kind fail as MGD_FAULT says:
//   kill         a write (half done), fsync, rename, mkdir, unlink or rmdir does not come back: the process
//   is killed enospc       this and all later writes find the disk full eio          one fsync fails
//   no_exchange  file systems that cannot exchange two names, with kill at MGD_FAULT_AT (0: never)
// Writes to the standard streams do not count.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int is_fault(const char* kind) {
  const char* fault = getenv("MGD_FAULT");
  return fault != NULL && strcmp(fault, kind) == 0;
}

static int fault_at(void) {
  const char* at = getenv("MGD_FAULT_AT");
  return at != NULL ? atoi(at) : 0;
}

static int killed_now(void) {
  static int calls = 0;
  return (is_fault("kill") || is_fault("no_exchange")) && ++calls == fault_at();
}

static void maybe_kill(void) {
  if (killed_now()) kill(getpid(), SIGKILL);
}

ssize_t write(int fd, const void* data, size_t size) {
  static int writes = 0;
  if (fd <= 2) return REAL(write)(fd, data, size);
  if (is_fault("enospc") && ++writes >= fault_at()) {
    errno = ENOSPC;
    return -1;
  }
  if (killed_now()) {
    REAL(write)(fd, data, size / 2);
    kill(getpid(), SIGKILL);
  }
  // In two pieces, as a full pipe or a signal would have it.
  return REAL(write)(fd, data, size > 1 ? size / 2 : size);
}

int fsync(int fd) {
  static int syncs = 0;
  if (is_fault("eio") && ++syncs == fault_at()) {
    errno = EIO;
    return -1;
  }
  maybe_kill();
  return REAL(fsync)(fd);
}

int rename(const char* from, const char* to) {
  maybe_kill();
  return REAL(rename)(from, to);
}

int renameat2(int from_folder, const char* from, int to_folder, const char* to, unsigned flags) {
  if (is_fault("no_exchange") && (flags & RENAME_EXCHANGE) != 0) {
    errno = EINVAL;
    return -1;
  }
  maybe_kill();
  return REAL(renameat2)(from_folder, from, to_folder, to, flags);
}

int mkdir(const char* path, mode_t mode) {
  maybe_kill();
  return REAL(mkdir)(path, mode);
}

int unlink(const char* path) {
  maybe_kill();
  return REAL(unlink)(path);
}

int unlinkat(int folder, const char* path, int flags) {
  maybe_kill();
  return REAL(unlinkat)(folder, path, flags);
}

int rmdir(const char* path) {
  maybe_kill();
  return REAL(rmdir)(path);
}
