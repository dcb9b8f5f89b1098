/* Sockets: ways past a rule on connect, families that no rule speaks of, and the proxy's own front door. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/errqueue.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "probe.h"

/* socket(A, B, C). */
static int p_socket(void) { return opened(socket(atoi(A), atoi(B), atoi(C))); }
static int p_socket_high_bits(void) {
  return opened((int)syscall(SYS_socket, (1L << 32) | atol(A), (1L << 32) | atol(B), 0));
}
static struct sockaddr_in v4(const char *address, const char *port) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(port))};
  inet_pton(AF_INET, address, &a.sin_addr);
  return a;
}
static int dialled(int fd, const void *address, socklen_t size) {
  if (fd < 0) return errno;
  fcntl(fd, F_SETFL, O_NONBLOCK);
  if (connect(fd, address, size) == 0) return 0;
  if (errno != EINPROGRESS) return errno;
  struct pollfd p = {fd, POLLOUT, 0};
  if (poll(&p, 1, 1000) == 0) return ETIMEDOUT;
  int error = 0;
  socklen_t length = sizeof error;
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
  return error;
}
/* TCP to A port B. */
static int p_connect(void) {
  const struct sockaddr_in a = v4(A, B);
  return dialled(socket(AF_INET, SOCK_STREAM, 0), &a, sizeof a);
}
static int p_connect6(void) {
  struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons((unsigned short)atoi(B))};
  inet_pton(AF_INET6, A, &a.sin6_addr);
  return dialled(socket(AF_INET6, SOCK_STREAM, 0), &a, sizeof a);
}
static int p_mptcp_connect(void) {
  const struct sockaddr_in a = v4(A, B);
  return dialled(socket(AF_INET, SOCK_STREAM, 262), &a, sizeof a);
}
static int p_udp_send(void) {
  const struct sockaddr_in a = v4(A, B);
  const int fd = socket(AF_INET, SOCK_DGRAM, 0);
  if (fd < 0) return errno;
  return code(sendto(fd, "x", 1, 0, (const struct sockaddr *)&a, sizeof a));
}
/* Allowed where the other side answers. */
static int p_udp_ask(void) {
  const struct sockaddr_in a = v4(A, B);
  char c;
  const int fd = socket(AF_INET, SOCK_DGRAM, 0);
  if (fd < 0) return errno;
  if (connect(fd, (const struct sockaddr *)&a, sizeof a) < 0 || send(fd, "x", 1, 0) < 0) return errno;
  struct pollfd p = {fd, POLLIN, 0};
  if (poll(&p, 1, 1000) == 0) return ETIMEDOUT;
  return code(recv(fd, &c, 1, 0));
}
static int fast_open(int how) {
  struct sockaddr_in a = v4("127.0.0.1", A);
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0) return errno;
  struct iovec data = {(void *)(size_t)"x", 1};
  struct mmsghdr m = {.msg_hdr = {.msg_name = &a, .msg_namelen = sizeof a, .msg_iov = &data, .msg_iovlen = 1}};
  if (how == 0) return code(sendto(fd, "x", 1, MSG_FASTOPEN, (struct sockaddr *)&a, sizeof a));
  return code(how == 1 ? sendmsg(fd, &m.msg_hdr, MSG_FASTOPEN) : sendmmsg(fd, &m, 1, MSG_FASTOPEN));
}
static int p_fastopen_sendto(void) { return fast_open(0); }
static int p_fastopen_sendmsg(void) { return fast_open(1); }
static int p_fastopen_sendmmsg(void) { return fast_open(2); }
/* setsockopt(level A, name B) on a TCP socket; C holds a string where it is one. */
static int p_sockopt(void) {
  int one = 1;
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0) return errno;
  if (*C) return code(setsockopt(fd, atoi(A), atoi(B), C, (socklen_t)strlen(C)));
  return code(setsockopt(fd, atoi(A), atoi(B), &one, sizeof one));
}
static int p_bind_port(void) {
  const struct sockaddr_in a = v4(A, B);
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0) return errno;
  return code(bind(fd, (const struct sockaddr *)&a, sizeof a));
}
static int p_interface_up(void) {
  struct ifreq r = {0};
  const int fd = socket(AF_INET, SOCK_DGRAM, 0);
  if (fd < 0) return errno;
  strcpy(r.ifr_name, "lo");
  r.ifr_flags = IFF_UP | IFF_PROMISC;
  return code(ioctl(fd, SIOCSIFFLAGS, &r));
}
static int p_interfaces(void) {
  char room[1024];
  struct ifconf c = {.ifc_len = sizeof room, .ifc_buf = room};
  const int fd = socket(AF_INET, SOCK_DGRAM, 0);
  if (fd < 0) return errno;
  return code(ioctl(fd, SIOCGIFCONF, &c));
}
static int unix_at(const char *path, int type, int abstract) {
  struct sockaddr_un a = {.sun_family = AF_UNIX};
  const int fd = socket(AF_UNIX, type, 0);
  if (fd < 0) return errno;
  strncpy(a.sun_path + abstract, path, sizeof a.sun_path - 2);
  const socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)abstract + strlen(path));
  return code(connect(fd, (struct sockaddr *)&a, abstract ? size : sizeof a));
}
static int p_unix_connect(void) { return unix_at(A, SOCK_STREAM, 0); }
static int p_unix_abstract(void) { return unix_at(A, SOCK_STREAM, 1); }
/* A pair needs no address; its datagram ends can name one. */
static int p_socketpair_sendto(void) {
  struct sockaddr_un a = {.sun_family = AF_UNIX};
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) < 0) return errno;
  strncpy(a.sun_path, A, sizeof a.sun_path - 1);
  return code(sendto(ends[0], "x", 1, 0, (struct sockaddr *)&a, sizeof a));
}
static int p_socketpair_connect(void) {
  struct sockaddr_un a = {.sun_family = AF_UNIX};
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) < 0) return errno;
  strncpy(a.sun_path, A, sizeof a.sun_path - 1);
  return code(connect(ends[0], (struct sockaddr *)&a, sizeof a));
}
static int p_socketpair_abstract(void) {
  struct sockaddr_un a = {.sun_family = AF_UNIX};
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) < 0) return errno;
  strncpy(a.sun_path + 1, A, sizeof a.sun_path - 2);
  const socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(A));
  return code(sendto(ends[0], "x", 1, 0, (struct sockaddr *)&a, size));
}
/* Asks the helper at A for a descriptor. */
static int p_receive_fd(void) {
  struct sockaddr_un a = {.sun_family = AF_UNIX};
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  if (fd < 0) return errno;
  strncpy(a.sun_path, A, sizeof a.sun_path - 1);
  if (connect(fd, (struct sockaddr *)&a, sizeof a) < 0) return errno;
  char c, space[CMSG_SPACE(sizeof(int))];
  struct iovec data = {&c, 1};
  struct msghdr m = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space};
  return code(recvmsg(fd, &m, 0));
}
static int p_netlink_talk(void) {
  const int fd = socket(AF_NETLINK, SOCK_RAW, 0);
  if (fd < 0) return errno;
  static const unsigned request[8] = {32, 0x03010012, 1, 0, 0};
  return code(send(fd, request, sizeof request, 0));
}
static int read_status(int fd) {
  char answer[64] = {0};
  struct pollfd p = {fd, POLLIN, 0};
  if (poll(&p, 1, 5000) == 0) return ETIMEDOUT;
  const ssize_t got = recv(fd, answer, sizeof answer - 1, 0);
  if (got == 0) return ECONNRESET;
  if (got < 0) return errno;
  const int status = strncmp(answer, "HTTP/1.", 7) == 0 ? atoi(answer + 9) : EPROTO;
  return status == 200 ? 0 : status;
}
/* Sends B (with \r and \n written as backslash letters) to port A of our own loopback and gives the HTTP status; 200 is allowed. */
static int p_proxy(void) {
  const struct sockaddr_in a = v4("127.0.0.1", A);
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  char text[4096];
  size_t n = 0;
  if (fd < 0) return errno;
  if (connect(fd, (const struct sockaddr *)&a, sizeof a) < 0) return errno;
  for (const char *s = B; *s && n < sizeof text; ++s) {
    if (*s == '\\' && (s[1] == 'r' || s[1] == 'n')) text[n++] = *++s == 'r' ? '\r' : '\n';
    else text[n++] = *s;
  }
  if (send(fd, text, n, 0) < 0) return errno;
  return read_status(fd);
}

const struct probe NETWORK_PROBES[] = {
    P(socket), P(socket_high_bits), P(connect), P(connect6), P(mptcp_connect), P(udp_send), P(udp_ask),
    P(fastopen_sendto), P(fastopen_sendmsg), P(fastopen_sendmmsg), P(sockopt), P(bind_port), P(interface_up),
    P(interfaces), P(unix_connect), P(unix_abstract), P(socketpair_sendto), P(socketpair_connect),
    P(socketpair_abstract), P(receive_fd), P(netlink_talk), P(proxy), {NULL, NULL}};
