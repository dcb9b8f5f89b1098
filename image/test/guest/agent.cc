// The root shell service of a test VM: runs commands that the host sends over a virtio serial port
// and streams their input and output.
//
// Why not a login shell on the serial console: a shell echoes, prompts, wraps lines and mixes its
// output with the kernel's, so that a driver must guess where an answer ends and what the exit
// status was. Here every byte is framed, several commands run at once, binary data passes
// unchanged, and the console stays free for what the kernel and systemd have to say. Why static
// C++: nothing of the tested system is needed (no sshd, no network, no interpreter), so the VM
// stays a stock Debian plus this one file, and it answers before basic.target, when a broken boot
// is to be looked at.
//
// Frame, both ways: u32 length of the body, u32 job, u8 kind, body. Little endian.
//   host to guest: 'x' start (body: a /bin/sh command), 'i' stdin bytes, 'e' end of stdin, 'k' kill
//   the job's process group guest to host: 'h' hello (body: boot id; the magic line goes before
//   it), 'o' stdout, 'r' stderr, 'a' stdin taken (u32 bytes),
//                  'q' ended (u32 exit status, u32 signal)
// The host sends at most one window of stdin that is not yet taken, so the agent never holds more
// than that for a job. A job ends when its shell ends; what it left running in the background keeps
// running and loses its pipes.
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <fstream>
#include <map>
#include <poll.h>
#include <string>
#include <string_view>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace {

constexpr std::string_view kMagic = "\naaos-vm-agent 1\n";
constexpr std::string_view kPortName = "aaos.agent";
constexpr std::size_t kChunk = 65536;

class Fd {
public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd() { reset(); }
  void reset() {
    if (fd_ >= 0)
      ::close(fd_);
    fd_ = -1;
  }
  int get() const { return fd_; }

private:
  int fd_ = -1;
};

struct Job {
  pid_t pid = -1;
  Fd pidfd, in, out, err;
  std::string pending; // stdin that the job has not taken yet
  bool inputEnded = false;
};

[[noreturn]] void fail(const char* step) {
  std::perror(step);
  std::exit(1);
}

std::string firstLine(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// The port's device is found by its name in sysfs, so that the agent need not wait for udev.
Fd openPort() {
  const std::string ports = "/sys/class/virtio-ports";
  for (int attempt = 0; attempt < 100; attempt++) {
    if (DIR* dir = ::opendir(ports.c_str())) {
      std::string found;
      while (const dirent* entry = ::readdir(dir)) {
        if (firstLine(ports + "/" + entry->d_name + "/name") == kPortName)
          found = entry->d_name;
      }
      ::closedir(dir);
      if (!found.empty()) {
        const int fd = ::open(("/dev/" + found).c_str(), O_RDWR | O_CLOEXEC);
        if (fd >= 0)
          return Fd(fd);
      }
    }
    ::usleep(100'000);
  }
  fail("open the agent's port");
}

void writeAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      fail("write to the host");
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

void putU32(std::string& to, std::uint32_t value) {
  to.append(reinterpret_cast<const char*>(&value), sizeof value);
}

std::uint32_t getU32(std::string_view from) {
  std::uint32_t value = 0;
  std::memcpy(&value, from.data(), sizeof value);
  return value;
}

void send(int port, std::uint32_t job, char kind, std::string_view body) {
  std::string frame;
  frame.reserve(9 + body.size());
  putU32(frame, static_cast<std::uint32_t>(body.size()));
  putU32(frame, job);
  frame.push_back(kind);
  frame.append(body);
  writeAll(port, frame);
}

[[noreturn]] void runShell(const std::string& command, int in, int out, int err) {
  ::setsid();
  ::dup2(in, 0);
  ::dup2(out, 1);
  ::dup2(err, 2);
  std::signal(SIGPIPE, SIG_DFL);
  std::ofstream("/proc/self/oom_score_adj")
      << "0"; // the agent is spared by the OOM killer, what it runs is not
  if (::chdir("/root") != 0)
    ::_exit(126);
  const char* const argv[] = {"/bin/sh", "-c", command.c_str(), nullptr};
  const char* const envp[] = {"HOME=/root",
                              "USER=root",
                              "LANG=C.UTF-8",
                              "TERM=dumb",
                              "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                              nullptr};
  ::execve(argv[0], const_cast<char* const*>(argv), const_cast<char* const*>(envp));
  ::_exit(127);
}

Job start(const std::string& command) {
  int in[2], out[2], err[2];
  if (::pipe2(in, O_CLOEXEC) != 0 || ::pipe2(out, O_CLOEXEC) != 0 || ::pipe2(err, O_CLOEXEC) != 0)
    fail("pipe");
  Job job;
  job.in = Fd(in[1]);
  job.out = Fd(out[0]);
  job.err = Fd(err[0]);
  const Fd childIn(in[0]), childOut(out[1]), childErr(err[1]);
  job.pid = ::fork();
  if (job.pid < 0)
    fail("fork");
  if (job.pid == 0)
    runShell(command, in[0], out[1], err[1]);
  job.pidfd = Fd(static_cast<int>(::syscall(SYS_pidfd_open, job.pid, 0)));
  if (job.pidfd.get() < 0)
    fail("pidfd_open");
  for (const Fd* end : {&job.in, &job.out, &job.err})
    ::fcntl(end->get(), F_SETFL, O_NONBLOCK);
  return job;
}

// Passes on what can be read now; false at the end of the stream.
bool forward(int port, std::uint32_t id, char kind, int fd) {
  static std::string buffer(kChunk, '\0');
  const ssize_t n = ::read(fd, buffer.data(), buffer.size());
  if (n < 0)
    return errno == EAGAIN || errno == EINTR;
  if (n > 0)
    send(port, id, kind, std::string_view(buffer.data(), static_cast<std::size_t>(n)));
  return n > 0;
}

void drain(int port, std::uint32_t id, char kind, int fd) {
  pollfd ready{fd, POLLIN, 0};
  while (fd >= 0 && ::poll(&ready, 1, 0) > 0 && forward(port, id, kind, fd)) {
  }
}

void taken(int port, std::uint32_t id, std::size_t bytes) {
  std::string count;
  putU32(count, static_cast<std::uint32_t>(bytes));
  send(port, id, 'a', count);
}

// Gives the job what its pipe takes. A job that closed its stdin has "taken" the rest.
void feed(int port, std::uint32_t id, Job& job) {
  if (!job.pending.empty()) {
    const ssize_t n = ::write(job.in.get(), job.pending.data(), job.pending.size());
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
      return;
    const std::size_t gone = n < 0 ? job.pending.size() : static_cast<std::size_t>(n);
    job.pending.erase(0, gone);
    taken(port, id, gone);
  }
  if (job.pending.empty() && job.inputEnded)
    job.in.reset();
}

void finish(int port, std::uint32_t id, Job& job) {
  int status = 0;
  while (::waitpid(job.pid, &status, 0) < 0 && errno == EINTR) {
  }
  drain(port, id, 'o', job.out.get());
  drain(port, id, 'r', job.err.get());
  std::string body;
  putU32(body, WIFEXITED(status) ? static_cast<std::uint32_t>(WEXITSTATUS(status)) : 255);
  putU32(body, WIFSIGNALED(status) ? static_cast<std::uint32_t>(WTERMSIG(status)) : 0);
  send(port, id, 'q', body);
}

class Agent {
public:
  explicit Agent(Fd port) : port_(std::move(port)) {}

  [[noreturn]] void run() {
    writeAll(port_.get(), kMagic);
    send(port_.get(), 0, 'h', firstLine("/proc/sys/kernel/random/boot_id"));
    for (;;)
      turn();
  }

private:
  void turn() {
    std::vector<pollfd> polled{{port_.get(), POLLIN, 0}};
    std::vector<std::uint32_t> owners;
    for (const auto& [id, job] : jobs_) {
      owners.push_back(id);
      polled.push_back({job.pidfd.get(), POLLIN, 0});
      polled.push_back({job.out.get(), POLLIN, 0});
      polled.push_back({job.err.get(), POLLIN, 0});
      const bool wantsInput = !job.pending.empty() || job.inputEnded;
      polled.push_back({wantsInput ? job.in.get() : -1, POLLOUT, 0});
    }
    if (::poll(polled.data(), polled.size(), -1) < 0) {
      if (errno == EINTR)
        return;
      fail("poll");
    }
    for (std::size_t i = 0; i < owners.size(); i++)
      serve(owners[i], &polled[1 + i * 4]);
    if (polled[0].revents != 0)
      receive();
  }

  void serve(std::uint32_t id, const pollfd* polled) {
    Job& job = jobs_.at(id);
    if (polled[1].revents != 0 && !forward(port_.get(), id, 'o', job.out.get()))
      job.out.reset();
    if (polled[2].revents != 0 && !forward(port_.get(), id, 'r', job.err.get()))
      job.err.reset();
    if (polled[3].revents != 0)
      feed(port_.get(), id, job);
    if (polled[0].revents != 0) {
      finish(port_.get(), id, job);
      jobs_.erase(id);
    }
  }

  void receive() {
    static std::string buffer(kChunk, '\0');
    const ssize_t n = ::read(port_.get(), buffer.data(), buffer.size());
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
      return;
    if (n <= 0)
      fail("read from the host");
    received_.append(buffer, 0, static_cast<std::size_t>(n));
    std::size_t at = 0;
    while (received_.size() - at >= 9) {
      const std::string_view rest = std::string_view(received_).substr(at);
      const std::uint32_t length = getU32(rest);
      if (rest.size() < 9 + std::size_t{length})
        break;
      obey(getU32(rest.substr(4)), rest[8], rest.substr(9, length));
      at += 9 + std::size_t{length};
    }
    received_.erase(0, at);
  }

  void obey(std::uint32_t id, char kind, std::string_view body) {
    if (kind == 'x') {
      jobs_.insert_or_assign(id, start(std::string(body)));
      return;
    }
    const auto found = jobs_.find(id);
    if (found == jobs_.end()) { // it has ended meanwhile
      if (kind == 'i')
        taken(port_.get(), id, body.size());
      return;
    }
    Job& job = found->second;
    if (kind == 'i')
      job.pending.append(body);
    if (kind == 'e')
      job.inputEnded = true;
    if (kind == 'k')
      ::kill(-job.pid, SIGKILL);
  }

  Fd port_;
  std::map<std::uint32_t, Job> jobs_;
  std::string received_;
};

} // namespace

int main() {
  std::signal(SIGPIPE, SIG_IGN);
  Agent(openPort()).run();
}
