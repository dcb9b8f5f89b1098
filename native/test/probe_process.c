/* Other processes, what they share, and what one process may use up. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <mqueue.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#include "probe.h"

static char MARK[] = "aaos-victim";

/* The host's side of it: owns what the others try to reach, says where, and waits for the end of its input. */
static int p_victim(void) {
  struct sockaddr_un a = {.sun_family = AF_UNIX};
  const int secret = chdir(B) == 0 ? open("s.txt", O_RDONLY) : -1;
  const int named = socket(AF_UNIX, SOCK_DGRAM, 0), abstract = socket(AF_UNIX, SOCK_DGRAM, 0);
  if (secret < 0) return errno;
  strncpy(a.sun_path, C, sizeof a.sun_path - 2);
  if (bind(named, (struct sockaddr *)&a, sizeof a) < 0) return errno;
  memmove(a.sun_path + 1, a.sun_path, strlen(C) + 1);
  a.sun_path[0] = 0;
  const socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(C));
  if (bind(abstract, (struct sockaddr *)&a, size) < 0) return errno;
  const int stream = socket(AF_UNIX, SOCK_STREAM, 0);
  strcat(a.sun_path + 1, "-stream");
  if (bind(stream, (struct sockaddr *)&a, size + 7) < 0 || listen(stream, 8) < 0) return errno;
  const key_t key = (key_t)strtol(A, NULL, 0);
  const int shm = shmget(key, 4096, IPC_CREAT | 0600), sem = semget(key, 1, IPC_CREAT | 0600);
  const int msg = msgget(key, IPC_CREAT | 0600);
  prctl(0x59616d61, -1, 0, 0, 0); /* any process of the same uid may trace it, whatever Yama says */
  prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
  printf("%d %p %d\n", getpid(), (void *)MARK, secret);
  fflush(stdout);
  char c;
  while (read(0, &c, 1) > 0) {
  }
  shmctl(shm, IPC_RMID, NULL);
  semctl(sem, 0, IPC_RMID);
  msgctl(msg, IPC_RMID, NULL);
  _exit(0);
}

static int p_shm_of(void) { return code(shmget((key_t)strtol(A, NULL, 0), 0, 0)); }
static int p_sem_of(void) { return code(semget((key_t)strtol(A, NULL, 0), 0, 0)); }
static int p_msg_of(void) { return code(msgget((key_t)strtol(A, NULL, 0), 0)); }
static int p_msg_make(void) {
  const int id = msgget(IPC_PRIVATE, 0600);
  if (id >= 0) msgctl(id, IPC_RMID, NULL);
  return code(id);
}
static int p_mq_make(void) {
  const mqd_t queue = mq_open("/aaos-probe", O_RDWR | O_CREAT, 0600, NULL);
  if (queue != (mqd_t)-1) mq_unlink("/aaos-probe");
  return code((long)queue);
}
static int p_shm_file(void) {
  const int fd = open("/dev/shm/aaos-probe", O_RDWR | O_CREAT, 0600);
  if (fd >= 0) unlink("/dev/shm/aaos-probe");
  return opened(fd);
}

static int p_attach(void) {
  const long result = ptrace(PTRACE_ATTACH, atoi(A), 0, 0);
  const int error = code(result);
  if (result == 0) {
    waitpid(atoi(A), NULL, 0);
    ptrace(PTRACE_DETACH, atoi(A), 0, 0);
  }
  return error;
}
static int p_seize(void) {
  const int error = code(ptrace(PTRACE_SEIZE, atoi(A), 0, 0));
  if (error == 0) {
    ptrace(PTRACE_INTERRUPT, atoi(A), 0, 0);
    waitpid(atoi(A), NULL, 0);
    ptrace(PTRACE_DETACH, atoi(A), 0, 0);
  }
  return error;
}
static int p_seize_parent(void) { return code(ptrace(PTRACE_SEIZE, getppid(), 0, 0)); }
static int p_seize_child(void) {
  const pid_t pid = fork();
  if (pid < 0) return errno;
  if (pid == 0) {
    pause();
    _exit(0);
  }
  const int error = code(ptrace(PTRACE_SEIZE, pid, 0, 0));
  kill(pid, SIGKILL);
  return error;
}
/* The mark of the victim: its pid is A, the address of the mark B. */
static int p_vm_read(void) {
  char room[sizeof MARK];
  struct iovec local = {room, sizeof room}, remote = {(void *)strtoul(B, NULL, 0), sizeof room};
  return code(process_vm_readv(atoi(A), &local, 1, &remote, 1, 0));
}
static int p_vm_write(void) {
  struct iovec local = {MARK, sizeof MARK}, remote = {(void *)strtoul(B, NULL, 0), sizeof MARK};
  return code(process_vm_writev(atoi(A), &local, 1, &remote, 1, 0));
}
static int p_pidfd_signal(void) {
  const int fd = (int)syscall(SYS_pidfd_open, atoi(A), 0);
  if (fd < 0) return errno;
  return code(syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0));
}
static int p_pidfd_getfd(void) {
  const int fd = (int)syscall(SYS_pidfd_open, atoi(A), 0);
  if (fd < 0) return errno;
  return opened((int)syscall(SYS_pidfd_getfd, fd, 1, 0));
}
static int p_getfd_self(void) {
  const int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);
  if (fd < 0) return errno;
  return opened((int)syscall(SYS_pidfd_getfd, fd, 1, 0));
}
/* Signals as kill(A, 0): -1 reaches every process that may be reached but our own and pid 1. */
static int p_kill_0(void) { return code(kill(atoi(A), 0)); }
static int p_kill_parent(void) {
  const pid_t parent = getppid();
  return code(kill(parent, parent == 1 ? SIGSTOP : 0)) != 0 ? errno : 0;
}
static int p_tgkill(void) { return code(syscall(SYS_tgkill, atoi(A), atoi(A), 0)); }
static int p_sigqueue(void) {
  siginfo_t info = {.si_code = -1};
  return code(syscall(SYS_rt_sigqueueinfo, atoi(A), 0, &info));
}
/* SIGIO to a process of our choosing, sent by the kernel on our behalf. */
static int p_setown(void) {
  int ends[2];
  if (pipe(ends) < 0) return errno;
  return code(fcntl(ends[0], F_SETOWN, atoi(A)));
}
static int p_priority_of(void) {
  errno = 0;
  const int nice = getpriority(PRIO_PROCESS, (id_t)atoi(A));
  return nice == -1 && errno != 0 ? errno : 0;
}
static int p_affinity_of(void) {
  cpu_set_t set;
  return code(sched_getaffinity(atoi(A), sizeof set, &set));
}
static int p_prlimit_of(void) {
  struct rlimit r;
  return code(prlimit(atoi(A), RLIMIT_NOFILE, NULL, &r));
}
static int p_ioprio_of(void) { return code(syscall(SYS_ioprio_get, 1, atoi(A))); }
static int p_sid_of(void) { return code(getsid(atoi(A))); }
static int p_nice_up(void) { return code(setpriority(PRIO_PROCESS, 0, -10)); }
static int p_realtime(void) {
  const struct sched_param p = {.sched_priority = 1};
  return code(sched_setscheduler(0, SCHED_FIFO, &p));
}
static int p_ioprio_realtime(void) { return code(syscall(SYS_ioprio_set, 1, 0, 1 << 13)); }
static int raised(int which) {
  struct rlimit r;
  if (getrlimit((__rlimit_resource_t)which, &r) < 0) return errno;
  r.rlim_cur = r.rlim_max = r.rlim_max == RLIM_INFINITY ? RLIM_INFINITY : r.rlim_max + 1;
  return code(setrlimit((__rlimit_resource_t)which, &r));
}
static int p_raise_nofile(void) { return raised(RLIMIT_NOFILE); }
static int p_raise_nproc(void) { return raised(RLIMIT_NPROC); }
static int p_raise_fsize(void) { return raised(RLIMIT_FSIZE); }
static int p_core_limit(void) {
  struct rlimit r = {1 << 20, 1 << 20};
  return code(setrlimit(RLIMIT_CORE, &r));
}
static int p_lock_memory(void) {
  void *m = mmap(NULL, 256 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (m == MAP_FAILED) return errno;
  return code(mlock(m, 256 << 20));
}
/* A megabytes in one piece; not touched, so that the machine does not feel it where nothing forbids it. */
static int p_map_memory(void) {
  void *m = mmap(NULL, strtoul(A, NULL, 0) << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return m == MAP_FAILED ? errno : 0;
}
/* A processes at once, each waiting to be killed. */
static int p_forks(void) {
  static pid_t pids[4096];
  int error = 0, made = 0;
  for (const int wanted = atoi(A); made < wanted && made < 4096; ++made) {
    pids[made] = fork();
    if (pids[made] < 0) {
      error = errno;
      break;
    }
    if (pids[made] == 0) {
      pause();
      _exit(0);
    }
  }
  for (int i = 0; i < made; ++i) kill(pids[i], SIGKILL);
  while (wait(NULL) > 0) {
  }
  return error;
}
static int p_open_all(void) {
  for (int i = 0; i < atoi(A); ++i) {
    if (dup(0) < 0) return errno;
  }
  return 0;
}
/* Any descriptor from A to B that is open. */
static int p_any_fd(void) {
  for (int fd = atoi(A); fd <= atoi(B); ++fd) {
    if (fcntl(fd, F_GETFD) >= 0) return 0;
  }
  return EBADF;
}
static int p_write_fd(void) { return code(write(atoi(A), "x", 1)); }
/* Any process but ourselves and our init. */
static int p_any_process(void) {
  char path[64];
  for (int pid = 1; pid < 70000; ++pid) {
    if (pid == getpid() || pid == 1) continue;
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    if (access(path, F_OK) == 0) return 0;
  }
  return ENOENT;
}
static int p_write_one(void) {
  const int fd = open(A, O_WRONLY);
  if (fd < 0) return errno;
  return code(write(fd, B, strlen(B)));
}
/* Leaves its session and its parent, waits a second and writes A. */
static int p_outlive(void) {
  if (fork() == 0) {
    setsid();
    prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    if (fork() == 0) {
      for (int fd = 0; fd < 3; ++fd) close(fd);
      const struct timespec t = {0, 400000000};
      nanosleep(&t, NULL);
      close(open(A, O_WRONLY | O_CREAT, 0600));
    }
    _exit(0);
  }
  return 0;
}
static int p_flood(void) {
  static char block[1 << 16];
  memset(block, 'x', sizeof block);
  for (int i = 0; i < 1 << 24; ++i) {
    if (write(1, block, sizeof block) < 0) return errno;
  }
  return 0;
}
static int p_spin(void) {
  for (volatile unsigned long i = 0;; ++i) {
  }
  return 0;
}
static int p_stop_self(void) { return code(raise(SIGSTOP)); }

const struct probe PROCESS_PROBES[] = {
    P(victim), P(shm_of), P(sem_of), P(msg_of), P(msg_make), P(mq_make), P(shm_file), P(attach), P(seize),
    P(seize_parent), P(seize_child), P(vm_read), P(vm_write), P(pidfd_signal), P(pidfd_getfd), P(getfd_self), P(kill_0),
    P(kill_parent), P(tgkill), P(sigqueue), P(setown), P(priority_of), P(affinity_of), P(prlimit_of), P(ioprio_of),
    P(sid_of), P(nice_up), P(realtime), P(ioprio_realtime), P(raise_nofile), P(raise_nproc), P(raise_fsize),
    P(core_limit), P(lock_memory), P(map_memory), P(forks), P(open_all), P(any_fd), P(write_fd), P(any_process),
    P(write_one), P(outlive), P(flood), P(spin), P(stop_self), {NULL, NULL}};
