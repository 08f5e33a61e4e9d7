// Ten thousand users in one room of the chat, one in a hundred of whom never reads.
//
// The server is a process of its own, and the load one thread: each has a descriptor for every user.
// TROUPE_CROWD=10000 makes it the full size.

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <map>
#include <sstream>
#include <stdexcept>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <troupe/runtime/threads.hpp>

#include "chat/chat.hpp"
#include "support/catch.hpp"
#include "support/client.hpp"
#include "support/environment.hpp"
#include "support/other_process.hpp"
#include "support/running.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t mebi = 1024 * 1024;
constexpr std::size_t output_limit = mebi; // what the chat sets

// What a server takes besides; under a sanitizer, with what that keeps of freed memory.
#ifdef TROUPE_SANITIZED
constexpr std::size_t slack = 256 * mebi;
#else
constexpr std::size_t slack = 32 * mebi;
#endif

/// Lets this process have as many descriptors as it may ask for, and returns how many these are.
std::size_t allow_many_descriptors() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_max;
}

std::string number_of(errc code) {
  return std::to_string(static_cast<int>(code));
}

/// Returns what the environment of the server has besides.
std::vector<std::string> little_quarantine() {
  const auto* const before = std::getenv("ASAN_OPTIONS");
  return {"ASAN_OPTIONS=" + (before != nullptr ? std::string{before} + ':' : "")
          + "quarantine_size_mb=16"};
}

// -- the server ---------------------------------------------------------------------------------

/// A user of the chat, whose end is told.
class counted : public chat {
public:
  counted(caf::actor_config& cfg, chat_service service, events* ends)
    : chat(cfg, std::move(service)), ends_(ends) {}
  void connection_lost(const failure& why) override {
    chat::connection_lost(why);
    ends_->add(std::to_string(why.code().value()));
  }

private:
  events* ends_;
};

} // namespace

TEST_CASE("the chat that a crowd joins", "[.chat]") {
  const auto* const first = the_first_process();
  if (first == nullptr)
    return;
  allow_many_descriptors();
  events ends;
  running server{2};
  const chat_service service{server.rt};
  const auto users = factory::for_protocol<counted>(service, &ends);
  const auto port = listen_tcp(server.rt, 0, users, {.backlog = 1000, .no_delay = true});
  server.start();
  const auto before = open_descriptors();
  first->tell(std::to_string(port.get_host().port()));
  while (first->hear() == "look") {
    const auto connections =
      blocking_call_from_thread(server.rt.reactor(), [&] { return users.get()->connections(); });
    std::ostringstream all;
    all << "connections " << connections << " subscribers "
        << service.rooms->topics().find("lobby").subscribers() << " rooms "
        << service.rooms->topics().size() << " too_full "
        << ends.count(number_of(errc::output_limit_reached)) << " done "
        << ends.count(number_of(errc::connection_done)) << " descriptors "
        << open_descriptors() - before;
    first->tell(all.str());
  }
}

namespace {

using report = std::map<std::string, std::size_t>;

report look(const other_process& server) {
  server.tell("look");
  std::istringstream words{server.hear()};
  report all;
  for (std::string name; words >> name;)
    words >> all[name];
  return all;
}

// -- the load -----------------------------------------------------------------------------------

[[noreturn]] void fail_load(const std::string& what) {
  throw std::runtime_error("crowd: " + what);
}

/// Connects from one of many addresses of this machine, as one has not enough ports. Who will not read
/// gets small buffers, so that the server's are what fills.
client connect(std::uint16_t port, std::size_t number, bool reads) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0)
    fail_load(std::strerror(errno));
  client made{fd};
  const int on = 1, small = 2048, segment = 536;
  if (!reads) {
    made.set_receive_buffer(small);
    ::setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof segment);
  }
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + static_cast<std::uint32_t>(number / 2000));
  sockaddr_in to = at;
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  to.sin_port = htons(port);
  if (::bind(fd, reinterpret_cast<sockaddr*>(&at), sizeof at) != 0
      || ::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0)
    fail_load(std::string{"connect: "} + std::strerror(errno));
  return made;
}

/// The users. The first ones talk, the last ones do not read; the others must have every line that
/// was not their own, whole, once, and in the order of its sender.
class crowd {
public:
  crowd(std::uint16_t port, std::size_t size, std::size_t lazy)
    : readers_(size - lazy), poll_(::epoll_create1(EPOLL_CLOEXEC)) {
    constexpr std::size_t at_once = 200;
    for (std::size_t i = 0; i < size; i += at_once) {
      const auto end = std::min(size, i + at_once);
      for (auto n = i; n < end; ++n) {
        users_.push_back({connect(port, n, n < readers_), {}, {}});
        users_.back().socket.send(name(n) + "\r\n");
      }
      for (auto n = i; n < end; ++n)
        for (const auto& expected :
             {std::string{"What's your name?\r\n"}, "Welcome, " + name(n) + "!\r\n"})
          if (users_[n].socket.receive(expected.size()) != expected)
            fail_load(name(n) + " cannot join");
    }
    for (std::size_t n = 0; n < size; ++n) {
      epoll_event wanted{.events = n < readers_ ? EPOLLIN : EPOLLRDHUP, .data = {.u64 = n}};
      ::epoll_ctl(poll_.fd(), EPOLL_CTL_ADD, users_[n].socket.fd(), &wanted);
    }
  }

  /// Lets each of `senders` say `lines` lines of some `size` bytes, and waits until all have them.
  void talk(const std::vector<std::size_t>& senders, std::size_t lines, std::size_t size) {
    expected_.clear();
    for (const auto s : senders) {
      std::string said;
      auto& mine = expected_[s];
      mine.first = said_[s];
      for (std::size_t k = 0; k < lines; ++k) {
        const auto number = said_[s]++;
        const auto text = std::to_string(number) + ' '
                          + std::string(size, static_cast<char>('a' + (s * 7 + number) % 26))
                          + "\r\n";
        said += text;
        mine.lines.push_back('<' + name(s) + "> " + text);
      }
      for (auto& u : users_)
        u.next.resize(std::max(u.next.size(), s + 1));
      users_[s].next[s] = said_[s]; // what it does not hear
      users_[s].socket.send(said);
    }
    missing_ = senders.size() * lines * (readers_ - 1);
    while (missing_ > 0)
      take();
  }

  /// Waits until the server has closed the connection of everybody who does not read.
  void wait_for_drops() {
    while (dropped_ < users_.size() - readers_)
      take();
  }

  std::size_t dropped() const { return dropped_; }
  std::size_t deliveries() const { return deliveries_; }

private:
  struct user {
    client socket;
    std::string begun;             // of a line
    std::vector<std::size_t> next; // number of the next line of each sender
  };
  struct said {
    std::size_t first = 0; // number of the first one
    std::vector<std::string> lines;
  };

  static std::string name(std::size_t n) { return 'u' + std::to_string(n); }

  void take() {
    epoll_event events[512];
    const int n = ::epoll_wait(poll_.fd(), events, 512, 20'000);
    if (n <= 0)
      fail_load("nothing comes; " + std::to_string(missing_) + " lines are missing, "
                + std::to_string(dropped_) + " were dropped");
    for (int i = 0; i < n; ++i) {
      const auto index = events[i].data.u64;
      if (index >= readers_) {
        ++dropped_;
        ::epoll_ctl(poll_.fd(), EPOLL_CTL_DEL, users_[index].socket.fd(), nullptr);
      } else {
        read(index);
      }
    }
  }

  void read(std::size_t index) {
    auto& u = users_[index];
    const auto n = ::recv(u.socket.fd(), buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN)
      return;
    if (n <= 0)
      fail_load(name(index) + " reads, and lost its connection");
    std::string_view input{buffer_.data(), static_cast<std::size_t>(n)};
    while (!input.empty()) {
      const auto end = input.find('\n');
      const auto line = input.substr(0, end == std::string_view::npos ? end : end + 1);
      input.remove_prefix(line.size());
      if (end == std::string_view::npos) {
        u.begun += line;
      } else if (u.begun.empty()) {
        check(index, line);
      } else {
        u.begun += line;
        check(index, u.begun);
        u.begun.clear();
      }
    }
  }

  void check(std::size_t index, std::string_view line) {
    std::size_t sender = 0;
    if (line.size() > 3)
      std::from_chars(line.data() + 2, line.data() + line.size(), sender); // "<uN> "
    const auto from = expected_.find(sender);
    if (from == expected_.end())
      fail_load(name(index) + " got what nobody said: " + std::string{line.substr(0, 100)});
    auto& next = users_[index].next[sender];
    const auto k = next - from->second.first;
    if (k >= from->second.lines.size() || line != from->second.lines[k])
      fail_load(name(index) + " expected line " + std::to_string(next) + " of " + name(sender)
                + ", and got " + std::string{line.substr(0, 100)});
    ++next;
    --missing_;
    ++deliveries_;
  }

  std::vector<user> users_;
  const std::size_t readers_;
  const client poll_;                       // a descriptor like any other
  std::map<std::size_t, said> expected_;    // by sender
  std::map<std::size_t, std::size_t> said_; // how many lines so far, by sender
  std::vector<char> buffer_ = std::vector<char>(256 * 1024);
  std::size_t missing_ = 0;
  std::size_t dropped_ = 0;
  std::size_t deliveries_ = 0;
};

/// Returns a figure of the status of a process, in bytes.
std::size_t memory_of(pid_t pid, const std::string& figure) {
  std::ifstream in{"/proc/" + std::to_string(pid) + "/status"};
  for (std::string word; in >> word;)
    if (word == figure + ':') {
      std::size_t kb = 0;
      in >> kb;
      return kb * 1024;
    }
  return 0;
}

} // namespace

TEST_CASE("a crowd has every line once and in order, and who does not read loses the connection") {
  const auto wanted = number_from("TROUPE_CROWD", 0);
  const auto possible = allow_many_descriptors() - 200;
  const auto size = wanted != 0 ? wanted : std::min(load_size(3000), possible);
  if (size > possible)
    FAIL("there are descriptors for " << possible << " users only");
  const auto lazy = std::max<std::size_t>(size / 100, 3);

  other_process server{"[.chat]", little_quarantine()};
  const auto port = static_cast<std::uint16_t>(std::stoul(server.hear()));
  const auto empty = memory_of(server.pid(), "VmRSS");
  const auto start = std::chrono::steady_clock::now();
  std::size_t joined = 0;
  {
    crowd users{port, size, lazy};
    joined = memory_of(server.pid(), "VmRSS");
    auto now = look(server);
    CHECK(now["subscribers"] == size);
    CHECK(now["connections"] == size);

    for (int round = 0; round < 5; ++round)
      users.talk({0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, 2, 60);
    std::size_t said = 0;
    while (users.dropped() < lazy && look(server)["too_full"] < lazy) {
      REQUIRE(said < 8 * mebi);
      users.talk({(said / 12'000) % 10}, 1, 12'000);
      said += 12'000;
    }
    CHECK(said > output_limit); // nobody is dropped before that
    users.wait_for_drops();
    users.talk({3, 1, 4}, 5, 60); // and it goes on
    now = look(server);
    CHECK(now["too_full"] == lazy);
    CHECK(now["subscribers"] == size - lazy);
    std::printf("crowd: %zu users, %zu deliveries, %.1f s\n", size, users.deliveries(),
                std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  // Beyond what the users take: for each who does not read, the limit and one read of a sender's;
  // for the others one line in each, some of which wait for their loop's next turn.
  const auto peak = memory_of(server.pid(), "VmHWM");
  const auto bound = joined + lazy * (output_limit + 64 * 1024) + slack;
  std::printf("crowd: server of %zu MiB; with all users %zu MiB, at most %zu MiB, bound %zu MiB\n",
              empty / mebi, joined / mebi, peak / mebi, bound / mebi);
  CHECK(peak < bound);

  // Who leaves takes everything along; the last to let go of the room are actors.
  auto now = look(server);
  for (const auto end = std::chrono::steady_clock::now() + 30s;
       (now["connections"] > 0 || now["rooms"] > 0 || now["descriptors"] > 0)
       && std::chrono::steady_clock::now() < end;)
    now = look(server);
  CHECK(now["connections"] == 0);
  CHECK(now["done"] == size - lazy);
  CHECK(now["rooms"] == 0);
  CHECK(now["descriptors"] == 0);
  CHECK(server.end() == 0);
}
