// UNIX sockets.

#include <troupe/net/connect_unix.hpp>
#include <troupe/net/listen_unix.hpp>
#include <troupe/runtime/threads.hpp>

#include <fstream>

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "support/catch.hpp"
#include "support/descriptors.hpp"
#include "support/directory.hpp"
#include "support/echo.hpp"
#include "support/running.hpp"
#include "support/text.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

/// Says something, and tells what comes back.
class caller : public protocol {
public:
  caller(caf::actor_config& cfg, events& told, std::string text)
    : protocol(cfg), told_(told), text_(std::move(text)) {}
  void connection_made() override {
    const auto who = transport().get_peer_credentials();
    told_.add("peer " + transport().get_peer().host());
    told_.add(who && who->pid == ::getpid() && who->uid == ::getuid() ? "is me" : "is not me");
    transport().write(text_);
  }
  void data_received(bytes_view data) override {
    got_ += as_text(data);
    if (got_.size() < text_.size())
      return;
    told_.add(got_ == text_ ? "came back" : "was damaged");
    transport().lose_connection();
  }
  void connection_lost(const failure& why) override { told_.add("lost: " + why.message()); }

private:
  events& told_;
  std::string text_;
  std::string got_;
};

class failing : public client_factory {
public:
  failing(caf::actor_config& cfg, events& told) : client_factory(cfg), told_(told) {}
  protocol_ptr build_protocol(const net_address&) override { return make_protocol<echo>(); }
  void client_connection_failed(connector&, const failure& why) override {
    told_.add(why.message());
  }

private:
  events& told_;
};

std::string refusal(runtime& rt, const std::string& path, const unix_listen_options& options = {}) {
  try {
    listen_unix(rt, path, factory::for_protocol<echo>(), options);
  } catch (const cannot_listen_error& e) {
    CHECK(e.where().host() == path);
    return e.what();
  }
  return "it listens";
}

/// A server of another make, which takes no lock and has not begun to listen.
file_descriptor bind_plainly(const std::string& path) {
  file_descriptor fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  sockaddr_un at{};
  at.sun_family = AF_UNIX;
  std::copy(path.begin(), path.end(), at.sun_path);
  REQUIRE(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0);
  return fd;
}

/// A server that died: it leaves its socket behind.
void leave_socket(const std::string& path) {
  bind_plainly(path);
}

} // namespace

TEST_CASE("a protocol runs unchanged over a UNIX socket") {
  const std::size_t loops = GENERATE(1, 4);
  const bool named = GENERATE(true, false);
  const auto before = open_descriptors();
  {
    const directory d;
    const auto path = named ? d / "socket" : "@troupe-test-" + std::to_string(::getpid());
    events told;
    running r{loops};
    const auto port = listen_unix(r.rt, path, factory::for_protocol<echo>());
    CHECK(port.get_host().type() == net_address::kind::unix_socket);
    CHECK(port.get_host().to_string() == path);
    const auto c = connect_unix(
      r.rt, path, client_factory::for_protocol<caller>(std::ref(told), std::string(300'000, 'x')));
    CHECK(c.get_destination().to_string() == path);
    r.start();
    REQUIRE(told.wait(4));
    CHECK(told.all()
          == std::vector<std::string>{"peer " + path, "is me", "came back",
                                      "lost: the connection was closed cleanly"});
  }
  CHECK(open_descriptors() == before);
}

TEST_CASE("a UNIX port leaves neither its file nor its lock behind") {
  const directory d;
  const auto path = d / "socket";
  runtime rt{{.loops = 1, .install_signal_handlers = false}};
  auto port = listen_unix(rt, path, factory::for_protocol<echo>(), {.mode = 0640});
  struct stat made {};
  REQUIRE(::stat(path.c_str(), &made) == 0);
  CHECK((made.st_mode & 0777) == 0640);
  long holder = 0;
  std::ifstream{path + ".lock"} >> holder;
  CHECK(holder == ::getpid());
  std::vector<bool> there;
  rt.reactor().call_when_running([&] {
    port.stop_listening();
    there.push_back(std::filesystem::exists(path) || std::filesystem::exists(path + ".lock"));
    port.start_listening();
    there.push_back(std::filesystem::exists(path) && std::filesystem::exists(path + ".lock"));
    rt.stop();
  });
  rt.run();
  CHECK(there == std::vector<bool>{false, true});
  CHECK(std::filesystem::is_empty(d.path));
}

TEST_CASE("a UNIX socket in use is refused, and one left behind is replaced") {
  const directory d;
  const auto path = d / "socket";
  runtime rt{{.loops = 1, .install_signal_handlers = false}};
  {
    runtime other{{.loops = 1, .install_signal_handlers = false}};
    listen_unix(other, path, factory::for_protocol<echo>());
    CHECK(contains(refusal(rt, path), path + ": its lock is held: Address already in use"));
    CHECK(contains(refusal(rt, path, {.lock_file = false}), "Address already in use"));
    CHECK(std::filesystem::exists(path));
  }
  leave_socket(path);
  std::ofstream{path + ".lock"} << "4711\n"; // its lock, which nobody holds
  CHECK(contains(refusal(rt, path, {.lock_file = false}), "Address already in use"));
  CHECK(refusal(rt, path) == "it listens");
}

TEST_CASE("a live UNIX socket without a lock is refused, and does not notice") {
  const directory d;
  const auto path = d / "socket";
  runtime rt{{.loops = 1, .install_signal_handlers = false}};
  const auto live = bind_plainly(path);
  const auto refused =
    path + ": it is in use, though nobody holds its lock: Address already in use";
  CHECK(contains(refusal(rt, path), refused));
  REQUIRE(::listen(live.get(), 1) == 0);
  CHECK(contains(refusal(rt, path), refused));
  CHECK(::accept(live.get(), nullptr, nullptr) == -1);
  CHECK(errno == EAGAIN);
  const auto client = connect_plainly(path);
  CHECK(file_descriptor{::accept(live.get(), nullptr, nullptr)});
  CHECK_FALSE(std::filesystem::exists(path + ".lock"));
}

TEST_CASE("a lock that Twisted has made is not taken") {
  const directory d;
  const auto path = d / "socket";
  runtime rt{{.loops = 1, .install_signal_handlers = false}};
  leave_socket(path);
  std::filesystem::create_symlink("4711", path + ".lock");
  CHECK(contains(refusal(rt, path),
                 path + ": its lock is Twisted's, of process 4711: Address already in use"));
  CHECK(std::filesystem::read_symlink(path + ".lock") == "4711");
  std::filesystem::remove(path + ".lock");
  std::filesystem::create_symlink("elsewhere", path + ".lock");
  CHECK(
    contains(refusal(rt, path), path + ": its lock is a symbolic link: Address already in use"));
  CHECK(std::filesystem::exists(path));
}

TEST_CASE("a lock that Twisted has made is held while its process lives") {
  const directory d;
  const auto path = d / "socket";
  const auto live = bind_plainly(path);
  REQUIRE(::listen(live.get(), 10) == 0);
  events told;
  running r{1};
  r.start();
  const auto connect_to = [&](const std::string& holder) {
    std::filesystem::remove(path + ".lock");
    std::filesystem::create_symlink(holder, path + ".lock");
    blocking_call_from_thread(r.rt.reactor(), [&] {
      connect_unix(r.rt, path, client_factory::of<failing>(std::ref(told)), {.check_lock = true});
    });
  };
  const auto refused =
    path + ": nobody holds its lock: " + make_error_code(errc::connection_refused).message();
  std::size_t count = 0;
  for (const auto* nobody :
       {"4194305", "elsewhere", "0", "-1", "99999999999999999999"}) { // too high
    connect_to(nobody);
    REQUIRE(told.wait_for(refused, ++count));
  }
  connect_to(std::to_string(::getpid()));
  pollfd called{.fd = live.get(), .events = POLLIN, .revents = 0};
  CHECK(::poll(&called, 1, 10'000) == 1);
}

TEST_CASE("paths that cannot be listened at are told by name and reason") {
  const directory d;
  runtime rt{{.loops = 1, .install_signal_handlers = false}};
  CHECK(contains(refusal(rt, d / std::string(120, 'x')), "longer than 107 bytes"));
  CHECK(contains(refusal(rt, ""), "empty"));
  CHECK(contains(refusal(rt, d / "no/socket"), "No such file or directory"));
  std::ofstream{d / "file"} << "precious";
  CHECK(contains(refusal(rt, d / "file"), "Address already in use"));
  std::string kept;
  std::ifstream{d / "file"} >> kept;
  CHECK(kept == "precious");
  CHECK(std::distance(std::filesystem::directory_iterator{d.path}, {}) == 1); // and no lock
}

TEST_CASE("a connection to a UNIX socket that is not there fails with why") {
  const directory d;
  events told;
  running r{1};
  leave_socket(d / "dead");
  const auto to = [&](const std::string& path, const unix_connect_options& options = {}) {
    connect_unix(r.rt, path, client_factory::of<failing>(std::ref(told)), options);
  };
  to(d / "nothing");
  to(d / "dead");
  to(d / std::string(120, 'x'));
  to(d / "dead", {.check_lock = true});
  r.start();
  REQUIRE(told.wait(4));
  const auto all = told.all();
  const auto has = [&](const std::string& part) {
    return std::any_of(all.begin(), all.end(), [&](const auto& t) { return contains(t, part); });
  };
  CAPTURE(all);
  CHECK(has(d / "nothing" + ": No such file or directory"));
  CHECK(has(d / "dead" + ": the connection was refused"));
  CHECK(has("longer than 107 bytes"));
  CHECK(has("nobody holds its lock"));
}

TEST_CASE("more clients than a UNIX port's queue holds all get in") {
  const directory d;
  const auto path = d / "socket";
  events told;
  running r{2};
  listen_unix(r.rt, path, factory::for_protocol<echo>(), {.backlog = 2});
  for (int i = 0; i < 50; ++i)
    connect_unix(r.rt, path, client_factory::for_protocol<caller>(std::ref(told), "hello"));
  r.start();
  REQUIRE(told.wait(200));
  CHECK(told.count("came back") == 50);
}
