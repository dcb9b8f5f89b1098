/* What the rooms of the probe share. A verb returns 0 where it was allowed, else an errno; a number above every errno is printed as it
 * is (the status of an HTTP proxy). */
#ifndef PROBE_H
#define PROBE_H
#include <errno.h>
#include <stddef.h>
#include <unistd.h>

struct probe {
  const char *name;
  int (*run)(void);
};
#define P(name) {#name, p_##name}

/* Argv after the verb. */
extern const char *A, *B, *C;
extern const struct probe FILE_PROBES[], KERNEL_PROBES[], EXEC_PROBES[], NETWORK_PROBES[], PROCESS_PROBES[];

/* 0, or errno of a call that gives -1 on failure. */
static inline int code(long result) { return result < 0 ? errno : 0; }
static inline int opened(int fd) {
  if (fd < 0) return errno;
  close(fd);
  return 0;
}
#endif
