/* Tries one forbidden thing named by argv and prints the errno's name, or "ok" where it was
 * allowed. `probe NAME [PATH [PATH]]`; `probe names` names them all. Static, so that it runs where
 * nothing else is. A probe that is killed prints nothing: the caller sees the signal. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "probe.h"

const char *A = "", *B = "", *C = "";

static int p_read(void) {
  char c;
  int fd = open(A, O_RDONLY);
  if (fd < 0) {
    return errno;
  }
  return code(read(fd, &c, 1));
}
static int p_list(void) {
  return opened(open(A, O_RDONLY | O_DIRECTORY));
}
static int p_write(void) {
  return opened(open(A, O_WRONLY));
}
static int p_read_write(void) {
  return opened(open(A, O_RDWR));
}
static int p_create(void) {
  return opened(open(A, O_WRONLY | O_CREAT | O_EXCL, 0600));
}
static int p_append(void) {
  int fd = open(A, O_WRONLY | O_APPEND | O_CREAT, 0600);
  if (fd < 0) {
    return errno;
  }
  return code(write(fd, "x", 1));
}
static int p_truncate(void) {
  return code(truncate(A, 0));
}
static int p_open_truncate(void) {
  return opened(open(A, O_RDONLY | O_TRUNC));
}
static int p_stat(void) {
  struct stat s;
  return code(stat(A, &s));
}
static int p_unlink(void) {
  return code(unlink(A));
}
static int p_rename(void) {
  return code(rename(A, B));
}
static int p_link(void) {
  return code(link(A, B));
}
static int p_symlink(void) {
  return code(symlink(A, B));
}
static int p_mkdir(void) {
  return code(mkdir(A, 0700));
}
static int p_chmod(void) {
  return code(chmod(A, 0600));
}
static int p_utimes(void) {
  return code(utimes(A, NULL));
}
static int p_setxattr(void) {
  return code(setxattr(A, "user.x", "x", 1, 0));
}
static int p_mkfifo(void) {
  return code(mkfifo(A, 0600));
}
static int p_mknod_char(void) {
  return code(mknod(A, S_IFCHR | 0600, 0x103));
}
static int p_bind_unix(void) {
  struct sockaddr_un a = {.sun_family = AF_UNIX};
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  if (fd < 0) {
    return errno;
  }
  strncpy(a.sun_path, A, sizeof a.sun_path - 1);
  return code(bind(fd, (struct sockaddr*)&a, sizeof a));
}
static int p_write_self_mem(void) {
  int fd = open("/proc/self/mem", O_RDWR);
  return opened(fd);
}
static int p_sparse_file(void) {
  int fd = open(A, O_WRONLY | O_CREAT, 0600);
  if (fd < 0) {
    return errno;
  }
  signal(SIGXFSZ, SIG_IGN);
  return code(ftruncate(fd, 1LL << 40));
}
static int p_fill(void) {
  static char block[65536];
  int fd = open(A, O_WRONLY | O_CREAT, 0600);
  if (fd < 0) {
    return errno;
  }
  for (int i = 0; i < 16384; ++i) {
    if (write(fd, block, sizeof block) < 0) {
      return errno;
    }
  }
  return 0;
}
static int p_handle(void) {
  return code(syscall(SYS_open_by_handle_at, AT_FDCWD, NULL, 0));
}

static int p_mount(void) {
  return code(mount("x", "/tmp", "tmpfs", 0, ""));
}
static int p_umount(void) {
  return code(umount2("/proc", MNT_DETACH));
}
static int p_chroot(void) {
  return code(chroot("/"));
}
static int p_pivot_root(void) {
  return code(syscall(SYS_pivot_root, ".", "."));
}
static int p_fsopen(void) {
  return opened((int)syscall(SYS_fsopen, "tmpfs", 0));
}
static int p_open_tree(void) {
  return opened((int)syscall(SYS_open_tree, AT_FDCWD, "/", 1));
}
static int p_unshare_user(void) {
  return code(unshare(CLONE_NEWUSER));
}
static int p_unshare_all(void) {
  return code(unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET));
}
static int p_clone_user(void) {
  long pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
  if (pid == 0) {
    _exit(0);
  }
  return code(pid);
}
static int p_clone3_user(void) {
  struct {
    unsigned long long flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
  } args = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};
  long pid = syscall(SYS_clone3, &args, sizeof args);
  if (pid == 0) {
    _exit(0);
  }
  return code(pid);
}
static int p_fork(void) {
  pid_t pid = fork();
  if (pid == 0) {
    _exit(0);
  }
  return code(pid);
}
static int p_bpf(void) {
  return code(syscall(SYS_bpf, 0, NULL, 0));
}
static int p_perf(void) {
  return code(syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0));
}
static int p_userfaultfd(void) {
  return opened((int)syscall(SYS_userfaultfd, 1));
}
static int p_io_uring(void) {
  char params[256] = {0};
  return opened((int)syscall(SYS_io_uring_setup, 1, params));
}
static int p_keyctl(void) {
  return code(syscall(SYS_keyctl, 0, -3, 0, 0, 0));
}
static int p_add_key(void) {
  return code(syscall(SYS_add_key, "user", "x", "x", 1, -3));
}
static int p_reboot(void) {
  return code(syscall(SYS_reboot, 0, 0, 0, 0));
}
static int p_sethostname(void) {
  return code(sethostname("x", 1));
}
static int p_settimeofday(void) {
  struct timeval t = {1, 1};
  return code(settimeofday(&t, NULL));
}
static int p_unknown_call(void) {
  return code(syscall(5000));
}
static int p_x32(void) {
  return code(syscall(0x40000000 | 39));
}
static int p_int80(void) {
#ifdef __x86_64__
  long result = 0;
  __asm__ volatile("int $0x80" : "=a"(result) : "a"(20) : "memory");
  return result < 0 ? (int)-result : 0;
#else
  raise(SIGSYS);
  return 0;
#endif
}
static int p_raise_caps(void) {
  struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct d[2] = {{1u << 21, 1u << 21, 0}, {0, 0, 0}};
  return code(syscall(SYS_capset, &h, d));
}
static int p_setuid(void) {
  return code(setuid(0));
}
static int p_privileged(void) {
  return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? EPERM : 0;
}
static int p_bounding(void) {
  return prctl(PR_CAPBSET_READ, CAP_SYS_ADMIN, 0, 0, 0) == 1 ? 0 : EPERM;
}
static int p_mseccomp(void) {
  return code(syscall(SYS_seccomp, 0, 0, NULL));
}

static int p_exec(void) {
  char* const argv[] = {(char*)(uintptr_t)A, NULL};
  char* const envp[] = {NULL};
  pid_t pid = fork();
  if (pid < 0) {
    return errno;
  }
  if (pid == 0) {
    execve(A, argv, envp);
    _exit(errno);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
}
static int p_exec_self(void) {
  char* const argv[] = {(char*)(uintptr_t) "probe", (char*)(uintptr_t) "none", NULL};
  char* const envp[] = {NULL};
  return code(execve(A, argv, envp));
}
static int p_memfd_exec(void) {
  int fd = (int)syscall(SYS_memfd_create, "x", 0);
  return opened(fd);
}
static int p_map_exec_file(void) {
  int fd = open(A, O_RDONLY);
  if (fd < 0) {
    return errno;
  }
  return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) == MAP_FAILED ? errno : 0;
}
static int p_map_exec_anonymous(void) {
  void* m =
      mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return m == MAP_FAILED ? errno : 0;
}

static int make_socket(int family, int type, int protocol) {
  return opened(socket(family, type, protocol));
}
static int p_tcp(void) {
  return make_socket(AF_INET, SOCK_STREAM, 0);
}
static int p_udp(void) {
  return make_socket(AF_INET, SOCK_DGRAM, 0);
}
static int p_mptcp(void) {
  return make_socket(AF_INET, SOCK_STREAM, 262);
}
static int p_sctp(void) {
  return make_socket(AF_INET, SOCK_STREAM, 132);
}
static int p_raw(void) {
  return make_socket(AF_INET, SOCK_RAW, 1);
}
static int p_packet(void) {
  return make_socket(AF_PACKET, SOCK_RAW, 0);
}
static int p_netlink(void) {
  return make_socket(AF_NETLINK, SOCK_RAW, 0);
}
static int p_vsock(void) {
  return make_socket(40, SOCK_STREAM, 0);
}
static int p_alg(void) {
  return make_socket(38, SOCK_SEQPACKET, 0);
}
static int p_unix(void) {
  return make_socket(AF_UNIX, SOCK_STREAM, 0);
}
static int dial(const char* address, int port, int type) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
  int fd = socket(AF_INET, type, 0);
  if (fd < 0) {
    return errno;
  }
  inet_pton(AF_INET, address, &a.sin_addr);
  return code(connect(fd, (struct sockaddr*)&a, sizeof a));
}
static int p_connect_loopback(void) {
  return dial("127.0.0.1", atoi(A), SOCK_STREAM);
}
static int p_connect_outside(void) {
  return dial("1.1.1.1", 443, SOCK_STREAM);
}
static int p_udp_outside(void) {
  return dial("9.9.9.9", 53, SOCK_DGRAM);
}
static int p_fastopen(void) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(A))};
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0) {
    return errno;
  }
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return code(sendto(fd, "x", 1, 0x20000000, (struct sockaddr*)&a, sizeof a));
}
static int p_listen(void) {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0) {
    return errno;
  }
  return code(listen(fd, 1));
}
static int p_bind_tcp(void) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(8080)};
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0) {
    return errno;
  }
  return code(bind(fd, (struct sockaddr*)&a, sizeof a));
}
static int p_abstract_unix(void) {
  struct sockaddr_un a = {.sun_family = AF_UNIX};
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  if (fd < 0) {
    return errno;
  }
  strncpy(a.sun_path + 1, A, sizeof a.sun_path - 2);
  return code(connect(fd, (struct sockaddr*)&a,
                      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(A))));
}
static int p_socketpair(void) {
  int ends[2];
  return code(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
}

static int p_ptrace(void) {
  return code(ptrace(PTRACE_TRACEME, 0, 0, 0));
}
static int p_kill(void) {
  return code(kill(atoi(A), 0));
}
static int p_pidfd_open(void) {
  return opened((int)syscall(SYS_pidfd_open, atoi(A), 0));
}
static int p_process_vm(void) {
  return code(syscall(SYS_process_vm_readv, atoi(A), NULL, 0, NULL, 0, 0));
}
static int p_shm(void) {
  return code(shmget(0x1234, 4096, 0));
}
static int p_tiocsti(void) {
  return code(ioctl(0, 0x5412, "x"));
}
static int p_ioctl_terminal(void) {
  char room[64];
  return code(ioctl(0, 0x5401, room));
}
static int p_extra_fd(void) {
  return code(fcntl(atoi(A), F_GETFD));
}
static int p_env(void) {
  return getenv(A) == NULL ? ENOENT : 0;
}
static int p_fork_bomb(void) {
  for (int i = 0; i < 2000; ++i) {
    pid_t pid = fork();
    if (pid < 0) {
      return errno;
    }
    if (pid == 0) {
      pause();
      _exit(0);
    }
  }
  return 0;
}
static int p_memory(void) {
  for (int i = 0; i < 64; ++i) {
    char* m = mmap(NULL, 64 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (m == MAP_FAILED) {
      return errno;
    }
    for (int at = 0; at < 64 << 20; at += 4096) {
      m[at] = 1;
    }
  }
  return 0;
}
static int p_open_many(void) {
  for (int i = 0; i < 5000; ++i) {
    if (open("/", O_RDONLY | O_DIRECTORY) < 0 && dup(0) < 0) {
      return errno;
    }
  }
  return 0;
}
/* A child that leaves its session and would outlive us; the caller looks for the marker of A. */
static int p_daemonize(void) {
  if (fork() == 0) {
    setsid();
    if (fork() == 0) {
      sleep(2);
      close(open(A, O_WRONLY | O_CREAT, 0600));
    }
    _exit(0);
  }
  return 0;
}
static int p_linger(void) {
  signal(SIGTERM, SIG_IGN);
  for (int i = 0; i < 1000; ++i) {
    pause();
  }
  return 0;
}
static int p_wait_term(void) {
  return code(pause());
}
static int p_none(void) {
  return 0;
}
static int p_pid(void) {
  printf("%d %s\n", getpid(), getppid() == 1 ? "init" : "other");
  return 0;
}

static const struct probe PROBES[] = {P(read),
              P(list),
              P(write),
              P(read_write),
              P(create),
              P(append),
              P(truncate),
              P(open_truncate),
              P(stat),
              P(unlink),
              P(rename),
              P(link),
              P(symlink),
              P(mkdir),
              P(chmod),
              P(utimes),
              P(setxattr),
              P(mkfifo),
              P(mknod_char),
              P(bind_unix),
              P(write_self_mem),
              P(sparse_file),
              P(fill),
              P(handle),
              P(mount),
              P(umount),
              P(chroot),
              P(pivot_root),
              P(fsopen),
              P(open_tree),
              P(unshare_user),
              P(unshare_all),
              P(clone_user),
              P(clone3_user),
              P(fork),
              P(bpf),
              P(perf),
              P(userfaultfd),
              P(io_uring),
              P(keyctl),
              P(add_key),
              P(reboot),
              P(sethostname),
              P(settimeofday),
              P(unknown_call),
              P(x32),
              P(int80),
              P(raise_caps),
              P(setuid),
              P(privileged),
              P(bounding),
              P(mseccomp),
              P(exec),
              P(exec_self),
              P(memfd_exec),
              P(map_exec_file),
              P(map_exec_anonymous),
              P(tcp),
              P(udp),
              P(mptcp),
              P(sctp),
              P(raw),
              P(packet),
              P(netlink),
              P(vsock),
              P(alg),
              P(unix),
              P(connect_loopback),
              P(connect_outside),
              P(udp_outside),
              P(fastopen),
              P(listen),
              P(bind_tcp),
              P(abstract_unix),
              P(socketpair),
              P(ptrace),
              P(kill),
              P(pidfd_open),
              P(process_vm),
              P(shm),
              P(tiocsti),
              P(ioctl_terminal),
              P(extra_fd),
              P(env),
              P(fork_bomb),
              P(memory),
              P(open_many),
              P(daemonize),
              P(linger),
              P(wait_term),
              P(none),
              P(pid),
               {NULL, NULL}};

static const struct probe* const TABLES[] = {PROBES,      FILE_PROBES,    KERNEL_PROBES,
                                             EXEC_PROBES, NETWORK_PROBES, PROCESS_PROBES};

int main(int argc, char** argv) {
  if (argc > 2) {
    A = argv[2];
  }
  if (argc > 3) {
    B = argv[3];
  }
  if (argc > 4) {
    C = argv[4];
  }
  const int listing = argc > 1 && strcmp(argv[1], "names") == 0;
  for (size_t t = 0; t < sizeof TABLES / sizeof *TABLES; ++t) {
    for (const struct probe* p = TABLES[t]; p->name != NULL; ++p) {
      if (listing) {
        puts(p->name);
      } else if (argc > 1 && strcmp(argv[1], p->name) == 0) {
        errno = 0;
        const int result = p->run();
        const char* name = result == 0 ? "ok" : strerrorname_np(result);
        if (name == NULL) {
          printf("%d\n", result);
        } else {
          puts(name);
        }
        return 0;
      }
    }
  }
  return listing ? 0 : 2;
}
