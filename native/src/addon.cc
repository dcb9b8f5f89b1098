// The addon's whole surface: start the launcher, talk to it with descriptors, ask a socket who its
// peer is, signal by pidfd, and make and close descriptors. It holds no policy: JavaScript
// validates, and what fails comes back as an error with `code`.
#include "datagram.h"

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstring>
#include <deque>
#include <fcntl.h>
#include <grp.h>
#include <memory>
#include <napi.h>
#include <spawn.h>
#include <string>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>
#include <vector>

namespace {

constexpr std::size_t kMaxMessage = std::size_t{256} * 1024;
constexpr std::size_t kMaxFds = 16;

// Throws a JavaScript error with the system's code, as Node's own calls do.
void throw_errno(Napi::Env env, int error, const char* op) {
  Napi::Error exception = Napi::Error::New(env, std::string(op) + ": " + uv_strerror(-error));
  exception.Set("code", Napi::String::New(env, uv_err_name(-error)));
  exception.Set("syscall", Napi::String::New(env, op));
  exception.ThrowAsJavaScriptException();
}

bool number_at(const Napi::CallbackInfo& info, std::size_t index, int& out) {
  if (!info[index].IsNumber()) {
    Napi::TypeError::New(info.Env(), "expected a number").ThrowAsJavaScriptException();
    return false;
  }
  out = info[index].As<Napi::Number>().Int32Value();
  return true;
}

Napi::Value pair_of(Napi::Env env, int first, int second) {
  Napi::Array out = Napi::Array::New(env, 2);
  out.Set(0U, Napi::Number::New(env, first));
  out.Set(1U, Napi::Number::New(env, second));
  return out;
}

// startLauncher(path): {fd, pid}. The program gets our socket as descriptor 3, /dev/null as 0 and
// 1, our stderr, an empty environment and default signals. Call it on the main thread: the launcher
// dies with the thread that started it.
Napi::Value start_launcher(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string path = info[0].ToString();
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    throw_errno(env, errno, "socketpair");
    return env.Undefined();
  }
  const int bytes = 1 << 20; // as much as the system allows; a plan must fit one datagram
  setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDWR, 0);
  posix_spawn_file_actions_adddup2(&actions, 0, 1);
  posix_spawn_file_actions_adddup2(&actions, ends[1], 3);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
  char* const argv[] = {const_cast<char*>(path.c_str()), nullptr};
  char* const envp[] = {nullptr};
  pid_t pid = -1;
  const int error = posix_spawn(&pid, path.c_str(), &actions, &attributes, argv, envp);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  close(ends[1]);
  if (error != 0) {
    close(ends[0]);
    throw_errno(env, error, "posix_spawn");
    return env.Undefined();
  }
  Napi::Object out = Napi::Object::New(env);
  out.Set("fd", Napi::Number::New(env, ends[0]));
  out.Set("pid", Napi::Number::New(env, pid));
  return out;
}

// reap(pid): the wait status of a child that has ended, or null. For the launcher, which libuv does
// not know.
Napi::Value reap(const Napi::CallbackInfo& info) {
  int pid = 0;
  int status = 0;
  if (!number_at(info, 0, pid) || waitpid(pid, &status, WNOHANG) != pid) {
    return info.Env().Null();
  }
  return Napi::Number::New(info.Env(), status);
}

// new Channel(fd, onMessage): owns the descriptor. `onMessage(text, fds)` for each datagram;
// `onMessage(null, [])` once, when the other side is gone. Descriptors that arrive belong to the
// callback.
class Channel : public Napi::ObjectWrap<Channel> {
public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(
        env, "Channel",
        {InstanceMethod<&Channel::send>("send"), InstanceMethod<&Channel::close>("close"),
         InstanceMethod<&Channel::ref>("ref"), InstanceMethod<&Channel::unref>("unref")});
  }

  explicit Channel(const Napi::CallbackInfo& info)
      : Napi::ObjectWrap<Channel>(info), context_(info.Env(), "aaos:Channel"),
        buffer_(kMaxMessage) {
    if (!number_at(info, 0, fd_)) {
      return;
    }
    on_message_ = Napi::Persistent(info[1].As<Napi::Function>());
    uv_loop_t* loop = nullptr;
    napi_get_uv_event_loop(info.Env(), &loop);
    poll_ = std::make_unique<uv_poll_t>().release(); // until uv_close gives it back
    poll_->data = this;
    if (const int error = uv_poll_init(loop, poll_, fd_); error != 0) {
      const std::unique_ptr<uv_poll_t> unused(poll_);
      poll_ = nullptr;
      throw_errno(info.Env(), -error, "poll");
      return;
    }
    watch();
    Ref(); // alive as long as it is open
  }

  ~Channel() override { shut(); }

private:
  struct Message {
    std::string text;
    std::vector<int> fds;
  };

  void watch() {
    if (poll_ != nullptr) {
      uv_poll_start(poll_, UV_READABLE | (queue_.empty() ? 0 : UV_WRITABLE), on_poll);
    }
  }

  static void on_poll(uv_poll_t* handle, int status, int events) {
    auto* self = static_cast<Channel*>(handle->data);
    const Napi::HandleScope scope(self->Env());
    if (status != 0) {
      return self->ended();
    }
    if ((events & UV_WRITABLE) != 0) {
      self->flush();
      self->watch();
    }
    if ((events & UV_READABLE) != 0) {
      self->drain();
    }
  }

  // At most a handful in one turn, so that one busy channel does not hold up the loop.
  void drain() {
    for (int i = 0; i < 32 && poll_ != nullptr; ++i) {
      iovec data{buffer_.data(), buffer_.size()};
      alignas(cmsghdr) char space[CMSG_SPACE(sizeof(int) * kMaxFds)];
      msghdr message{};
      message.msg_iov = &data;
      message.msg_iovlen = 1;
      message.msg_control = space;
      message.msg_controllen = sizeof space;
      const ssize_t got = recvmsg(fd_, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
      if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
      }
      if (got <= 0) {
        return ended();
      }
      deliver(message, static_cast<std::size_t>(got));
    }
  }

  void deliver(msghdr& message, std::size_t length) {
    const Napi::Env env = Env();
    Napi::Array fds = Napi::Array::New(env);
    for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
      for (std::size_t at = CMSG_LEN(0);
           c->cmsg_type == SCM_RIGHTS && at + sizeof(int) <= c->cmsg_len; at += sizeof(int)) {
        int fd = -1;
        memcpy(&fd, reinterpret_cast<char*>(c) + at, sizeof fd);
        fds.Set(fds.Length(), Napi::Number::New(env, fd));
      }
    }
    on_message_.MakeCallback(Value(), {Napi::String::New(env, buffer_.data(), length), fds},
                             context_);
  }

  void ended() {
    if (poll_ == nullptr) {
      return;
    }
    const Napi::Env env = Env();
    shut();
    on_message_.MakeCallback(Value(), {env.Null(), Napi::Array::New(env)}, context_);
    Unref();
  }

  void shut() {
    if (poll_ == nullptr) {
      return;
    }
    uv_poll_stop(poll_);
    uv_close(reinterpret_cast<uv_handle_t*>(poll_), [](uv_handle_t* handle) {
      const std::unique_ptr<uv_poll_t> closed(reinterpret_cast<uv_poll_t*>(handle));
    });
    poll_ = nullptr;
    ::close(fd_);
    for (const Message& message : queue_) {
      for (const int fd : message.fds) {
        ::close(fd);
      }
    }
    queue_.clear();
  }

  // Sends until the socket takes no more. 0 or the errno of a message that can never be sent, which
  // is dropped.
  int flush() {
    while (!queue_.empty()) {
      const Message& next = queue_.front();
      if (!aaos::send_datagram<kMaxFds>(fd_, next.text, next.fds.data(), next.fds.size())) {
        if (errno == EAGAIN || errno == EINTR || errno == ENOBUFS) {
          return 0;
        }
        const int error = errno;
        drop_first();
        return error;
      }
      drop_first();
    }
    return 0;
  }

  void drop_first() {
    for (const int fd : queue_.front().fds) {
      ::close(fd);
    }
    queue_.pop_front();
  }

  // send(text, fds): takes over the descriptors, whatever comes of it.
  Napi::Value send(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    Message message{info[0].ToString(), {}};
    if (info[1].IsArray()) {
      const auto fds = info[1].As<Napi::Array>();
      for (std::uint32_t i = 0; i < fds.Length(); ++i) {
        message.fds.push_back(fds.Get(i).ToNumber().Int32Value());
      }
    }
    if (poll_ == nullptr || message.fds.size() > kMaxFds || message.text.size() > kMaxMessage) {
      for (const int fd : message.fds) {
        ::close(fd);
      }
      throw_errno(env, poll_ == nullptr ? EPIPE : EMSGSIZE, "send");
      return env.Undefined();
    }
    const bool idle = queue_.empty();
    queue_.push_back(std::move(message));
    if (const int error = idle ? flush() : 0; error != 0) {
      throw_errno(env, error, "send");
    } else if (!queue_.empty()) {
      watch();
    }
    return env.Undefined();
  }

  Napi::Value close(const Napi::CallbackInfo& info) {
    if (poll_ != nullptr) {
      shut();
      Unref();
    }
    return info.Env().Undefined();
  }

  Napi::Value ref(const Napi::CallbackInfo& info) {
    if (poll_ != nullptr) {
      uv_ref(reinterpret_cast<uv_handle_t*>(poll_));
    }
    return info.Env().Undefined();
  }

  Napi::Value unref(const Napi::CallbackInfo& info) {
    if (poll_ != nullptr) {
      uv_unref(reinterpret_cast<uv_handle_t*>(poll_));
    }
    return info.Env().Undefined();
  }

  int fd_ = -1;
  uv_poll_t* poll_ = nullptr;
  Napi::AsyncContext context_;
  Napi::FunctionReference on_message_;
  std::vector<char> buffer_;
  std::deque<Message> queue_;
};

// peerCredentials(fd): {pid, uid, gid, groups} of a connected Unix socket, as they were when it
// connected.
Napi::Value peer_credentials(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  int fd = -1;
  ucred peer{};
  socklen_t size = sizeof peer;
  if (!number_at(info, 0, fd)) {
    return env.Undefined();
  }
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
    throw_errno(env, errno, "getsockopt");
    return env.Undefined();
  }
  std::vector<gid_t> groups(256);
  socklen_t bytes = static_cast<socklen_t>(groups.size() * sizeof(gid_t));
  int failed = getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &bytes);
  if (failed != 0 && errno == ERANGE) {
    groups.resize(bytes / sizeof(gid_t));
    failed = getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &bytes);
  }
  if (failed != 0) {
    throw_errno(env, errno, "getsockopt");
    return env.Undefined();
  }
  Napi::Array list = Napi::Array::New(env);
  for (std::uint32_t i = 0; i < bytes / sizeof(gid_t); ++i) {
    list.Set(i, Napi::Number::New(env, groups[i]));
  }
  Napi::Object out = Napi::Object::New(env);
  out.Set("pid", Napi::Number::New(env, peer.pid));
  out.Set("uid", Napi::Number::New(env, peer.uid));
  out.Set("gid", Napi::Number::New(env, peer.gid));
  out.Set("groups", list);
  return out;
}

// groupId(name): its number, or null where there is no such group.
Napi::Value group_id(const Napi::CallbackInfo& info) {
  const std::string name = info[0].ToString();
  std::vector<char> buffer(std::size_t{1} << 16);
  group entry{};
  group* found = nullptr;
  while (getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found) == ERANGE) {
    buffer.resize(buffer.size() * 2);
  }
  return found == nullptr ? info.Env().Null() : Napi::Number::New(info.Env(), found->gr_gid);
}

// sendDatagram(path, text): to a Unix datagram socket, "@" for an abstract name. False where the receiver is behind (EAGAIN,
// ENOBUFS); anything else throws.
Napi::Value send_to_path(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string path = info[0].ToString();
  const std::string text = info[1].ToString();
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    throw_errno(env, ENAMETOOLONG, "sendto");
    return env.Undefined();
  }
  memcpy(address.sun_path, path.data(), path.size());
  if (path.front() == '@') {
    address.sun_path[0] = '\0';
  }
  static const int socket_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (socket_fd < 0) {
    throw_errno(env, errno, "socket");
    return env.Undefined();
  }
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  const ssize_t sent = sendto(socket_fd, text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL,
                              reinterpret_cast<const sockaddr*>(&address), length);
  if (sent < 0 && errno != EAGAIN && errno != ENOBUFS) {
    throw_errno(env, errno, "sendto");
    return env.Undefined();
  }
  return Napi::Boolean::New(env, sent >= 0);
}

// sendSignal(pidfd, signal): false when the process is gone.
Napi::Value send_signal(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  int pidfd = -1;
  int signal = 0;
  if (!number_at(info, 0, pidfd) || !number_at(info, 1, signal)) {
    return env.Undefined();
  }
  if (syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0) == 0) {
    return Napi::Boolean::New(env, true);
  }
  if (errno != ESRCH) {
    throw_errno(env, errno, "pidfd_send_signal");
  }
  return Napi::Boolean::New(env, false);
}

// landlockAbi(): the highest version that the running kernel knows; 0 where it has none or it is switched off.
Napi::Value landlock_abi(const Napi::CallbackInfo& info) {
  constexpr unsigned kVersion = 1;  // LANDLOCK_CREATE_RULESET_VERSION
  const long version = syscall(SYS_landlock_create_ruleset, nullptr, 0, kVersion);
  return Napi::Number::New(info.Env(), static_cast<double>(version < 0 ? 0 : version));
}

// pipe(): [read end, write end]. socketPair(): [ours, theirs], a stream. All close on exec.
Napi::Value make_pipe(const Napi::CallbackInfo& info) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) {
    throw_errno(info.Env(), errno, "pipe2");
    return info.Env().Undefined();
  }
  return pair_of(info.Env(), ends[0], ends[1]);
}

Napi::Value make_socket_pair(const Napi::CallbackInfo& info) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    throw_errno(info.Env(), errno, "socketpair");
    return info.Env().Undefined();
  }
  return pair_of(info.Env(), ends[0], ends[1]);
}

Napi::Value close_fd(const Napi::CallbackInfo& info) {
  int fd = -1;
  if (number_at(info, 0, fd) && fd > 2) {
    close(fd);
  }
  return info.Env().Undefined();
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  exports.Set("startLauncher", Napi::Function::New(env, start_launcher));
  exports.Set("reap", Napi::Function::New(env, reap));
  exports.Set("Channel", Channel::define(env));
  exports.Set("peerCredentials", Napi::Function::New(env, peer_credentials));
  exports.Set("groupId", Napi::Function::New(env, group_id));
  exports.Set("sendDatagram", Napi::Function::New(env, send_to_path));
  exports.Set("sendSignal", Napi::Function::New(env, send_signal));
  exports.Set("landlockAbi", Napi::Function::New(env, landlock_abi));
  exports.Set("pipe", Napi::Function::New(env, make_pipe));
  exports.Set("socketPair", Napi::Function::New(env, make_socket_pair));
  exports.Set("closeFd", Napi::Function::New(env, close_fd));
  return exports;
}

} // namespace

NODE_API_MODULE(aaos, init)
