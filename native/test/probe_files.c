/* Files: names and descriptors that might lead out of a grant, and rights that a grant does not give. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

#include "probe.h"

static int read_one(int fd) {
  char c;
  if (fd < 0) return errno;
  const int result = code(read(fd, &c, 1));
  close(fd);
  return result;
}

/* Opens A as `first`, then the same object through /proc/self/fd as `second`. */
static int reopen(int first, int second) {
  char path[64];
  const int fd = open(A, first);
  if (fd < 0) return errno;
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  return opened(open(path, second));
}
static int p_path_reopen(void) { return reopen(O_PATH, O_RDONLY); }
static int p_path_reopen_write(void) { return reopen(O_PATH, O_WRONLY); }
static int p_reopen_write(void) { return reopen(O_RDONLY, O_WRONLY); }
static int p_reopen_read(void) { return reopen(O_WRONLY, O_RDONLY); }
static int p_path_empty(void) {
  const int fd = open(A, O_PATH);
  if (fd < 0) return errno;
  return opened((int)syscall(SYS_openat, fd, "", O_RDONLY));
}
static int p_access(void) { return code(access(A, F_OK)); }
static int p_statx(void) {
  struct statx s;
  return code(statx(AT_FDCWD, A, 0, STATX_BASIC_STATS, &s));
}
static int p_readlink(void) {
  char room[4096];
  return code(readlink(A, room, sizeof room));
}
static int p_chdir(void) { return code(chdir(A)); }
/* Climbs far above the working directory, then reads A below it. */
static int p_climb(void) {
  char path[8192] = "";
  for (int i = 0; i < 64; ++i) strcat(path, "../");
  strncat(path, A + 1, sizeof path - strlen(path) - 1);
  return read_one(open(path, O_RDONLY));
}
static int p_openat2_magic(void) {
  struct {
    unsigned long long flags, mode, resolve;
  } how = {O_RDONLY, 0, 0};
  return read_one((int)syscall(SYS_openat2, AT_FDCWD, A, &how, sizeof how));
}
/* A link of our own making at B leads to A. */
static int p_symlink_read(void) {
  if (symlink(A, B) < 0) return errno;
  return read_one(open(B, O_RDONLY));
}
static int p_link_write(void) {
  if (link(A, B) < 0) return errno;
  return opened(open(B, O_WRONLY));
}
static int p_link_fd(void) {
  char path[64];
  const int fd = open(A, O_RDONLY);
  if (fd < 0) return errno;
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  return code(linkat(AT_FDCWD, path, AT_FDCWD, B, AT_SYMLINK_FOLLOW));
}
static int p_tmpfile(void) { return opened(open(A, O_TMPFILE | O_RDWR, 0600)); }
/* An unnamed file in A gets the name B. */
static int p_tmpfile_link(void) {
  char path[64];
  const int fd = open(A, O_TMPFILE | O_RDWR, 0600);
  if (fd < 0) return errno;
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  return code(linkat(AT_FDCWD, path, AT_FDCWD, B, AT_SYMLINK_FOLLOW));
}
static int p_exchange(void) { return code(syscall(SYS_renameat2, AT_FDCWD, A, AT_FDCWD, B, RENAME_EXCHANGE)); }
static int p_whiteout(void) { return code(syscall(SYS_renameat2, AT_FDCWD, A, AT_FDCWD, B, RENAME_WHITEOUT)); }
static int p_mknod_whiteout(void) { return code(mknod(A, S_IFCHR | 0600, 0)); }
static int p_mknod_block(void) { return code(mknod(A, S_IFBLK | 0600, 0x800)); }
static int p_rmdir(void) { return code(rmdir(A)); }
/* Moves directory A aside and puts another of our own in its place, with a file named B in it. */
static int p_plant(void) {
  char path[4096];
  snprintf(path, sizeof path, "%s.aside", A);
  if (rename(A, path) < 0) return errno;
  if (mkdir(A, 0700) < 0) return errno;
  snprintf(path, sizeof path, "%s/%s", A, B);
  char *slash = strrchr(path, '/');
  *slash = 0;
  mkdir(path, 0700);
  *slash = '/';
  return opened(open(path, O_WRONLY | O_CREAT, 0700));
}
/* A file of ours takes the name B. */
static int p_replace(void) {
  const int fd = open(A, O_WRONLY | O_CREAT, 0700);
  if (fd < 0) return errno;
  close(fd);
  return code(rename(A, B));
}
static int p_chmod_setuid(void) { return code(chmod(A, 04755)); }
static int p_fchmod_setuid(void) {
  const int fd = open(A, O_RDONLY);
  if (fd < 0) return errno;
  return code(fchmod(fd, 06755));
}
static int p_fchmodat2_setuid(void) { return code(syscall(452, AT_FDCWD, A, 04755, 0)); }
/* Allowed only where the bit is there afterwards. */
static int has_bit(const char *path, int fd) {
  struct stat s;
  if (fd < 0) return errno;
  close(fd);
  if (stat(path, &s) < 0) return errno;
  return (s.st_mode & 06000) != 0 ? 0 : EPERM;
}
static int p_create_setuid(void) { return has_bit(A, open(A, O_WRONLY | O_CREAT | O_EXCL, 04755)); }
static int p_openat2_setuid(void) {
  struct {
    unsigned long long flags, mode, resolve;
  } how = {O_WRONLY | O_CREAT | O_EXCL, 04755, 0};
  return has_bit(A, (int)syscall(SYS_openat2, AT_FDCWD, A, &how, sizeof how));
}
static int p_mknod_setuid(void) {
  if (mknod(A, S_IFREG | 04755, 0) < 0) return errno;
  return has_bit(A, open(A, O_RDONLY));
}
static int p_tmpfile_setuid(void) { return opened(open(A, O_TMPFILE | O_RDWR, 04755)); }
static int p_chown(void) { return code(chown(A, 0, 0)); }
static int p_chown_own(void) { return code(chown(A, getuid(), getgid())); }
static int p_setxattr_trusted(void) { return code(setxattr(A, "trusted.x", "x", 1, 0)); }
static int p_setxattr_capability(void) {
  static const unsigned caps[5] = {0x02000001, 0xffffffff, 0, 0xffffffff, 0};
  return code(setxattr(A, "security.capability", caps, sizeof caps, 0));
}
static int p_ftruncate(void) {
  const int fd = open(A, O_RDONLY);
  if (fd < 0) return errno;
  return code(ftruncate(fd, 0));
}
static int p_fallocate(void) {
  const int fd = open(A, O_WRONLY | O_CREAT, 0600);
  if (fd < 0) return errno;
  return code(fallocate(fd, 0, 1LL << 40, 1 << 20));
}
static int p_many_files(void) {
  char path[4096];
  for (int i = 0; i < 200000; ++i) {
    snprintf(path, sizeof path, "%s/n%d", A, i);
    const int fd = open(path, O_WRONLY | O_CREAT, 0600);
    if (fd < 0) return errno;
    close(fd);
  }
  return 0;
}
static int p_map_write(void) {
  const int fd = open(A, O_RDWR);
  if (fd < 0) return errno;
  return mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED ? errno : 0;
}
static int p_map_shared_upgrade(void) {
  const int fd = open(A, O_RDONLY);
  if (fd < 0) return errno;
  void *m = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
  if (m == MAP_FAILED) return errno;
  return code(mprotect(m, 4096, PROT_READ | PROT_WRITE));
}
/* CVE-2022-0847: what goes into the pipe must not reach the page cache of the file. */
static int p_dirty_pipe(void) {
  int ends[2];
  char c = 0, again = 0;
  const int fd = open(A, O_RDONLY);
  if (fd < 0 || pipe(ends) < 0) return errno;
  static char page[4096];
  for (int i = 0; i < 16; ++i) (void)!write(ends[1], page, sizeof page);
  for (int i = 0; i < 16; ++i) (void)!read(ends[0], page, sizeof page);
  if (pread(fd, &c, 1, 1) != 1) return errno;
  loff_t at = 0;
  if (splice(fd, &at, ends[1], NULL, 1, 0) < 0) return errno;
  if (write(ends[1], "~", 1) < 0) return errno;
  pread(fd, &again, 1, 1);
  return again == c ? EPERM : 0;
}
static int p_copy_range(void) {
  const int from = open(A, O_RDONLY), to = open(B, O_WRONLY | O_CREAT, 0600);
  if (from < 0 || to < 0) return errno;
  return code(copy_file_range(from, NULL, to, NULL, 1, 0));
}
static int p_inotify(void) {
  const int fd = inotify_init1(0);
  if (fd < 0) return errno;
  return code(inotify_add_watch(fd, A, IN_ALL_EVENTS));
}
static int p_dnotify(void) {
  const int fd = open(A, O_RDONLY | O_DIRECTORY);
  if (fd < 0) return errno;
  return code(fcntl(fd, F_NOTIFY, DN_CREATE));
}
static int p_lease(void) {
  const int fd = open(A, O_RDONLY);
  if (fd < 0) return errno;
  return code(fcntl(fd, F_SETLEASE, F_RDLCK));
}
static int p_name_to_handle(void) {
  char room[sizeof(struct file_handle) + 128];
  struct file_handle *handle = (struct file_handle *)room;
  int mount_id;
  handle->handle_bytes = 128;
  return code(syscall(SYS_name_to_handle_at, AT_FDCWD, A, handle, &mount_id, 0));
}
/* A handle of A is opened again, past every path. Bare, an ordinary uid may not. */
static int p_handle_open(void) {
  char room[sizeof(struct file_handle) + 128];
  struct file_handle *handle = (struct file_handle *)room;
  int mount_id;
  handle->handle_bytes = 128;
  if (syscall(SYS_name_to_handle_at, AT_FDCWD, A, handle, &mount_id, 0) < 0) return errno;
  const int mount = open(A, O_PATH);
  return opened((int)syscall(SYS_open_by_handle_at, mount, handle, O_RDONLY));
}
static int p_setflags(void) {
  int flags = FS_NODUMP_FL;
  const int fd = open(A, O_RDONLY);
  if (fd < 0) return errno;
  return code(ioctl(fd, FS_IOC_SETFLAGS, &flags));
}
static int p_file_setattr(void) {
  unsigned long long attr[8] = {0x80};
  return code(syscall(469, AT_FDCWD, A, attr, 24, 0));
}
static int p_quotactl_fd(void) {
  const int fd = open("/", O_RDONLY);
  return code(syscall(SYS_quotactl_fd, fd < 0 ? 0 : fd, 0x800007 << 8, 0, NULL));
}
static int p_put(void) {
  const int fd = open(A, O_WRONLY);
  if (fd < 0) return errno;
  return code(write(fd, B, strlen(B)));
}
/* Whether A says B anywhere in its first 64 KiB; ENOMSG where it does not. */
static int p_contains(void) {
  static char room[65536];
  const int fd = open(A, O_RDONLY);
  if (fd < 0 || read(fd, room, sizeof room - 1) < 0) return errno;
  return strstr(room, B) != NULL ? 0 : ENOMSG;
}
/* How many names a directory has; allowed where there is any but our own grants (C is how many those are). */
static int p_names(void) {
  DIR *dir = opendir(A);
  int count = 0;
  if (dir == NULL) return errno;
  while (readdir(dir) != NULL) ++count;
  closedir(dir);
  return count > atoi(B) ? 0 : ENOENT;
}

const struct probe FILE_PROBES[] = {
    P(path_reopen), P(path_reopen_write), P(reopen_write), P(reopen_read), P(path_empty), P(access), P(statx), P(readlink),
    P(chdir), P(climb), P(openat2_magic), P(symlink_read), P(link_write), P(link_fd), P(tmpfile), P(tmpfile_link),
    P(exchange), P(whiteout), P(mknod_whiteout), P(mknod_block), P(rmdir), P(plant), P(replace), P(chmod_setuid),
    P(fchmod_setuid), P(fchmodat2_setuid), P(create_setuid), P(openat2_setuid), P(mknod_setuid), P(tmpfile_setuid), P(chown), P(chown_own),
    P(setxattr_trusted), P(setxattr_capability), P(ftruncate), P(fallocate), P(many_files), P(map_write),
    P(map_shared_upgrade), P(dirty_pipe), P(copy_range), P(inotify), P(dnotify), P(lease), P(name_to_handle),
    P(handle_open), P(setflags), P(file_setattr), P(quotactl_fd), P(put), P(contains), P(names), {NULL, NULL}};
