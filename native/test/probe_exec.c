/* Running what was not granted to run. A verb that executes does so in a child; what it runs must end with status 0. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "probe.h"

static char *const NO_ENV[] = {NULL};

/* Runs `path` with `arguments` in a child that shares nothing; the errno of a failed exec, 0 where it ran. */
static int run(const char *path, char *const *arguments) {
  const pid_t pid = fork();
  if (pid < 0) return errno;
  if (pid == 0) {
    const int null = open("/dev/null", O_WRONLY);
    if (null >= 0) {
      dup2(null, 1);
      dup2(null, 2);
    }
    execve(path, arguments, NO_ENV);
    _exit(errno);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
}
static int p_run(void) {
  char *const arguments[] = {(char *)(size_t)A, *B ? (char *)(size_t)B : NULL, *C ? (char *)(size_t)C : NULL, NULL};
  return run(A, arguments);
}
static int copy_self(const char *to) {
  static char room[65536];
  const int from = open("/proc/self/exe", O_RDONLY), fd = open(to, O_WRONLY | O_CREAT, 0755);
  if (from < 0 || fd < 0) return errno;
  for (ssize_t got; (got = read(from, room, sizeof room)) > 0;) {
    if (write(fd, room, (size_t)got) != got) return errno;
  }
  close(from);
  close(fd);
  return 0;
}
/* Copies itself to A and runs the copy. */
static int p_copy_run(void) {
  const int error = copy_self(A);
  if (error != 0) return error;
  char *const arguments[] = {(char *)(size_t)A, (char *)(size_t)"none", NULL};
  return run(A, arguments);
}
static int p_run_fd(void) {
  char path[64];
  const int fd = open(A, O_RDONLY);
  if (fd < 0) return errno;
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  char *const arguments[] = {path, (char *)(size_t)"none", NULL};
  return run(path, arguments);
}
static int p_execveat(void) {
  const int fd = open(A, O_PATH);
  if (fd < 0) return errno;
  char *const arguments[] = {(char *)(size_t)A, (char *)(size_t)"none", NULL};
  return code(syscall(SYS_execveat, fd, "", arguments, NO_ENV, AT_EMPTY_PATH));
}
static int p_memfd_run(void) {
  const int fd = (int)syscall(SYS_memfd_create, "x", 0), self = open("/proc/self/exe", O_RDONLY);
  if (fd < 0 || self < 0) return errno;
  if (sendfile(fd, self, NULL, 1 << 24) < 0) return errno;
  char *const arguments[] = {(char *)(size_t)"x", (char *)(size_t)"none", NULL};
  return code(syscall(SYS_execveat, fd, "", arguments, NO_ENV, AT_EMPTY_PATH));
}
static int p_run_self(void) {
  char *const arguments[] = {(char *)(size_t)"probe", (char *)(size_t)"none", NULL};
  return code(execve("/proc/self/exe", arguments, NO_ENV));
}
/* A script at A whose interpreter is B. */
static int p_script(void) {
  char text[4096];
  const int length = snprintf(text, sizeof text, "#!%s none\n", B);
  const int fd = open(A, O_WRONLY | O_CREAT, 0755);
  if (fd < 0 || write(fd, text, (size_t)length) < 0) return errno;
  close(fd);
  char *const arguments[] = {(char *)(size_t)A, NULL};
  return run(A, arguments);
}
static int p_map_then_protect(void) {
  const int fd = open(A, O_RDONLY);
  if (fd < 0) return errno;
  void *m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  if (m == MAP_FAILED) return errno;
  return code(mprotect(m, 4096, PROT_READ | PROT_EXEC));
}
static int p_anonymous_then_protect(void) {
  void *m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (m == MAP_FAILED) return errno;
  return code(mprotect(m, 4096, PROT_READ | PROT_EXEC));
}
static int p_uselib(void) {
#ifdef SYS_uselib
  return code(syscall(SYS_uselib, A));
#else
  return ENOSYS;
#endif
}
static int p_setuid_kept(void) { return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? EPERM : 0; }

const struct probe EXEC_PROBES[] = {P(run),     P(copy_run), P(run_fd),           P(execveat),
                                    P(memfd_run), P(run_self), P(script),         P(map_then_protect),
                                    P(anonymous_then_protect), P(uselib), P(setuid_kept), {NULL, NULL}};
