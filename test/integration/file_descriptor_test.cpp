// Descriptors that travel over UNIX sockets.

#include <troupe/net/adopt_stream_port.hpp>
#include <troupe/net/connect_unix.hpp>
#include <troupe/net/file_descriptor.hpp>
#include <troupe/net/listen_unix.hpp>
#include <troupe/net/start_tls.hpp>
#include <troupe/net/timeout_factory.hpp>

#include <future>
#include <optional>
#include <random>

#include <fcntl.h>
#include <unistd.h>

#include "listening_socket.hpp"
#include "support/catch.hpp"
#include "support/client.hpp"
#include "support/descriptors.hpp"
#include "support/directory.hpp"
#include "support/few_descriptors.hpp"
#include "support/running.hpp"
#include "support/tls.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

using strings = std::vector<std::string>;

class scripted;

/// What a `scripted` does when it is called.
struct script {
  std::function<void(scripted&)> made{};
  std::function<void(scripted&, std::string_view)> data{};
  std::function<void(scripted&, file_descriptor)> descriptor{};
};

/// Tells what happens, and then does what its script says.
class scripted : public protocol {
public:
  scripted(caf::actor_config& cfg, events* log, script s)
    : protocol(cfg), log(log), script_(std::move(s)) {}
  void connection_made() override {
    log->add("made");
    if (script_.made)
      script_.made(*this);
  }
  void data_received(bytes_view data) override {
    if (script_.data)
      script_.data(*this, as_text(data));
    else
      log->add(std::string(as_text(data)));
  }
  void connection_lost(const failure& why) override { log->add("lost: " + why.message()); }

  events* log;
  std::size_t received = 0;

protected:
  script script_;
};

/// The same, which takes descriptors.
class taker : public scripted, public file_descriptor_receiver {
public:
  using scripted::scripted;
  void file_descriptor_received(file_descriptor fd) override {
    log->add("descriptor " + name_of(fd));
    if (script_.descriptor)
      script_.descriptor(*this, std::move(fd));
  }
};

template <class P>
factory_ref serves(events& log, script s = {}) {
  return factory::for_protocol<P>(&log, std::move(s));
}

template <class P>
client_factory_ref calls(events& log, script s = {}) {
  return client_factory::for_protocol<P>(&log, std::move(s));
}

/// A server at a path of its own, and a socket of the system that is connected to it.
struct pair {
  pair(events& log, const factory_ref& f) {
    listen_unix(server.rt, where / "socket", f);
    server.start();
    peer = connect_plainly(where / "socket");
    REQUIRE(log.wait_for("made"));
  }
  directory where;
  running server{1};
  file_descriptor peer;
};

/// Waits until this process has `count` descriptors; false after ten seconds without.
bool descriptors_become(std::size_t count) {
  for (const auto until = std::chrono::steady_clock::now() + 10s;
       std::chrono::steady_clock::now() < until; std::this_thread::yield())
    if (open_descriptors() == count)
      return true;
  return false;
}

const std::string clean_end = "lost: " + failure{errc::connection_done}.message();

} // namespace

TEST_CASE("a descriptor comes before the bytes that were written after it") {
  const std::size_t loops = GENERATE(1, 4);
  const auto before = open_descriptors();
  {
    const directory d;
    events got, unused;
    std::mutex guard;
    std::string bytes;
    std::vector<std::pair<std::string, std::size_t>> came; // behind how many bytes
    running r{loops};
    listen_unix(r.rt, d / "socket",
                serves<taker>(got, {.data =
                                      [&](scripted&, std::string_view text) {
                                        const std::lock_guard hold{guard};
                                        bytes += text;
                                      },
                                    .descriptor =
                                      [&](scripted&, file_descriptor fd) {
                                        const std::lock_guard hold{guard};
                                        came.emplace_back(name_of(fd), bytes.size());
                                      }}));
    connect_unix(r.rt, d / "socket",
                 calls<scripted>(unused, {.made = [](scripted& p) {
                                   auto& t = p.transport();
                                   t.write("one ");
                                   t.send_file_descriptor(named_descriptor("a"));
                                   t.write("two ");
                                   t.send_file_descriptor(named_descriptor("b"));
                                   t.send_file_descriptor(named_descriptor("c"));
                                   t.write("three");
                                   t.lose_connection();
                                 }}));
    r.start();
    REQUIRE(got.wait_for(clean_end));
    const std::lock_guard hold{guard};
    CHECK(bytes == "one two three");
    REQUIRE(came.size() == 3);
    CHECK(came[0].first == "a");
    CHECK(came[0].second <= 4);
    CHECK(came[1].first == "b");
    CHECK(came[1].second <= 8);
    CHECK(came[2].first == "c");
    CHECK(came[2].second <= 8);
  }
  CHECK(open_descriptors() == before);
}

TEST_CASE("a port that adopts a UNIX socket takes descriptors too") {
  const directory d;
  events got, unused;
  const auto socket = troupe::detail::unix_listener(d / "socket", {})(nullptr);
  running r{1};
  adopt_stream_port(r.rt, socket.fd.get(), serves<taker>(got));
  connect_unix(r.rt, d / "socket",
               calls<scripted>(unused, {.made = [](scripted& p) {
                                 p.transport().send_file_descriptor(named_descriptor("a"));
                                 p.transport().write("with it");
                                 p.transport().lose_connection();
                               }}));
  r.start();
  REQUIRE(got.wait_for(clean_end));
  CHECK(got.all() == strings{"made", "descriptor a", "with it", clean_end});
}

TEST_CASE("what is sent arrives whole, with its descriptors, at a peer that is slow") {
  const auto before = open_descriptors();
  {
    constexpr std::size_t count = 200;
    std::mt19937 random{4711};
    std::vector<std::string> parts;
    std::string all;
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t sizes[] = {1, 10, 700, 5000, 20'000, 70'000};
      parts.emplace_back(sizes[random() % 6], static_cast<char>('a' + i % 26));
      all += parts.back();
    }
    events log;
    pair p{log, serves<taker>(log, {.made = [&](scripted& s) {
                                for (std::size_t i = 0; i < count; ++i) {
                                  if (s.transport().send_file_descriptor(
                                        named_descriptor(std::to_string(i))))
                                    s.log->add("refused");
                                  if (i % 3 == 0)
                                    s.transport().write(shared_bytes{parts[i]});
                                  else
                                    s.transport().write(parts[i]);
                                }
                                s.transport().lose_connection();
                              }})};
    std::string got;
    std::size_t next = 0;
    std::size_t place = 0; // of the next descriptor
    for (;;) {
      const auto part = receive_with(p.peer.get(), 1 + random() % 30'000);
      if (part.text.empty())
        break;
      for (const auto& fd : part.descriptors) {
        REQUIRE(next < count);
        CHECK(name_of(fd) == std::to_string(next));
        CHECK(got.size() <= place);
        place += parts[next++].size();
      }
      got += part.text;
      CHECK((next == count || got.size() <= place)); // none came late
    }
    CHECK(next == count);
    CHECK((got == all));
    CHECK(log.wait_for(clean_end));
    CHECK(log.count("refused") == 0);
  }
  CHECK(open_descriptors() == before);
}

TEST_CASE("many descriptors of one message come all, are closed with it, and when a program runs") {
  events log;
  pair p{log, serves<taker>(log, {.descriptor = [](scripted& s, file_descriptor fd) {
                              if ((::fcntl(fd.get(), F_GETFD) & FD_CLOEXEC) == 0)
                                s.log->add("stays open");
                            }})};
  const auto a = named_descriptor("a");
  send_with(p.peer.get(), "x", {});
  REQUIRE(log.wait_for("x"));
  const auto before = open_descriptors();
  send_with(p.peer.get(), "y", std::vector<int>(253, a.get()));
  REQUIRE(log.wait_for("y"));
  CHECK(log.count("descriptor a") == 253);
  CHECK(log.count("stays open") == 0);
  CHECK(open_descriptors() == before);
}

TEST_CASE("a protocol that takes no descriptors gets the bytes only, and nothing stays open") {
  events log;
  pair p{log, serves<scripted>(log)};
  const auto a = named_descriptor("a");
  send_with(p.peer.get(), "x", {});
  REQUIRE(log.wait_for("x"));
  const auto before = open_descriptors();
  for (int i = 0; i < 20; ++i) { // some fit the small buffer, and some do not
    const auto text = std::to_string(i) + std::string(i % 2 == 0 ? 1 : 500, '.');
    send_with(p.peer.get(), text, std::vector<int>(100, a.get()));
    REQUIRE(log.wait(3 + static_cast<std::size_t>(i)));
  }
  CHECK(open_descriptors() == before);
}

TEST_CASE("descriptors are closed when the connection ends before they could be sent") {
  const bool abort = GENERATE(true, false);
  const bool written = GENERATE(true, false);
  CAPTURE(abort, written);
  events log;
  pair p{log, serves<scripted>(log, {.data = [&](scripted& s, std::string_view) {
                                 if (written) // more than the peer takes
                                   s.transport().write(std::string(3'000'000, 'x'));
                                 for (int i = 0; i < 10; ++i)
                                   s.transport().send_file_descriptor(named_descriptor("a"));
                                 if (written && abort)
                                   s.transport().write("behind");
                                 s.log->add("sent");
                                 if (abort)
                                   s.transport().abort_connection();
                                 else
                                   s.transport().lose_connection();
                               }})};
  const auto before = open_descriptors();
  send_with(p.peer.get(), "go", {});
  REQUIRE(log.wait_for("sent"));
  if (written && !abort) { // the peer has to take it first, and no byte follows
    CHECK(open_descriptors() == before + 10);
    std::size_t got = 0;
    for (;;) {
      const auto part = receive_with(p.peer.get());
      CHECK(part.descriptors.empty());
      if (part.text.empty())
        break;
      got += part.text.size();
    }
    CHECK(got == 3'000'000);
  }
  REQUIRE(log.wait(3));
  CHECK(descriptors_become(before - 1)); // without the connection's
}

TEST_CASE("descriptors that cannot be sent are refused with why, and closed") {
  events log;
  std::vector<std::error_code> why;
  std::size_t accepted = 0;
  pair p{log, serves<scripted>(
                log, {.data = [&](scripted& s, std::string_view) {
                  auto& t = s.transport();
                  why.push_back(t.send_file_descriptor({}));
                  while (!(why.emplace_back() =
                             t.send_file_descriptor(file_descriptor::duplicate(STDERR_FILENO))))
                    ++accepted, why.pop_back();
                  t.write("x");
                  t.lose_connection();
                  why.push_back(t.send_file_descriptor(file_descriptor::duplicate(STDERR_FILENO)));
                }})};
  const auto before = open_descriptors();
  send_with(p.peer.get(), "go", {});
  const auto got = receive_with(p.peer.get());
  CHECK(got.descriptors.size() == 253);
  REQUIRE(log.wait_for(clean_end));
  CHECK(accepted == 253);
  CHECK(why
        == std::vector<std::error_code>{errc::invalid_argument, errc::queue_overflow,
                                        errc::not_connected});
  CHECK(descriptors_become(before - 1 + 253));
}

TEST_CASE("neither TCP nor TLS carries descriptors") {
  events log;
  running r{1};
  const auto tell = [](scripted& s) {
    const auto why = s.transport().send_file_descriptor(file_descriptor::duplicate(STDERR_FILENO));
    s.log->add(why.message());
    s.transport().write("x");
  };
  const auto refusal = make_error_code(errc::not_supported).message();
  SECTION("TCP") {
    const auto port = listen_tcp(r.rt, 0, serves<taker>(log, {.made = tell}));
    r.start();
    client c{port.get_host().port()};
    CHECK(c.receive(1) == "x");
    CHECK(log.all() == strings{"made", refusal});
  }
  SECTION("TLS over a UNIX socket, and what comes is closed") {
    const directory d;
    const authority ca;
    const tls_server_context context{{.identities = {ca.issue()}}};
    listen_unix(r.rt, d / "socket", serves<taker>(log, {.made = [&](scripted& s) {
                                                    start_tls(s.transport(), context, {});
                                                    tell(s);
                                                  }}));
    r.start();
    const auto peer = connect_plainly(d / "socket");
    REQUIRE(log.wait(2));
    const auto a = named_descriptor("a");
    const auto before = open_descriptors();
    send_with(peer.get(), "no handshake", {a.get(), a.get()});
    REQUIRE(log.wait(3));
    CHECK(log.all().at(1) == refusal);
    CHECK(log.all().at(2).starts_with("lost: "));
    CHECK(log.count("descriptor a") == 0);
    CHECK(descriptors_become(before - 1));
  }
}

TEST_CASE("reading that is paused among descriptors goes on with the next one") {
  events log;
  scripted* who = nullptr;
  pair p{log, serves<taker>(log, {.made = [&](scripted& s) { who = &s; },
                                  .descriptor =
                                    [](scripted& s, file_descriptor) {
                                      if (++s.received != 2)
                                        s.transport().pause_producing();
                                    }})};
  const auto names = {named_descriptor("a"), named_descriptor("b"), named_descriptor("c")};
  std::vector<int> fds;
  for (const auto& n : names)
    fds.push_back(n.get());
  send_with(p.peer.get(), "first", fds);
  send_with(p.peer.get(), "second", {});
  const auto resume = [&] {
    std::promise<void> done;
    p.server.rt.reactor().call_from_thread([&] {
      who->enter([&] { who->transport().resume_producing(); });
      done.set_value();
    });
    done.get_future().get();
  };
  REQUIRE(log.wait(2));
  resume();
  REQUIRE(log.wait(4));
  resume();
  REQUIRE(log.wait(6));
  CHECK(log.all()
        == strings{"made", "descriptor a", "descriptor b", "descriptor c", "first", "second"});
}

TEST_CASE("what ends the connection in the midst of descriptors closes the others") {
  const int how = GENERATE(0, 1, 2, 3, 4);
  events log;
  pair p{log, serves<taker>(log, {.descriptor = [&](scripted& s, file_descriptor) {
                              if (++s.received != 2)
                                return;
                              switch (how) {
                              case 0:
                                return s.transport().lose_connection();
                              case 1:
                                return s.transport().abort_connection();
                              case 2:
                                return s.quit();
                              case 3:
                                throw std::runtime_error("boom");
                              default: // and comes back never
                                s.transport().pause_producing();
                                s.transport().lose_connection();
                              }
                            }})};
  const auto a = named_descriptor("a");
  const auto before = open_descriptors();
  send_with(p.peer.get(), "x", std::vector<int>(50, a.get()));
  REQUIRE(log.wait(4));
  CHECK(log.all().size() == 4);
  CHECK(log.all().back().starts_with("lost: "));
  CHECK(descriptors_become(before - 1));
}

TEST_CASE("a peer that floods a paused protocol with descriptors opens none in this process") {
  events log;
  scripted* who = nullptr;
  pair p{log, serves<taker>(log, {.made =
                                    [&](scripted& s) {
                                      who = &s;
                                      s.transport().pause_producing();
                                      s.log->add("paused");
                                    },
                                  .data =
                                    [](scripted& s, std::string_view text) {
                                      s.received += text.size();
                                      s.log->add("read " + std::to_string(s.received));
                                    }})};
  REQUIRE(log.wait_for("paused"));
  const auto a = named_descriptor("a");
  const auto before = open_descriptors();
  std::size_t sent = 0;
  while (send_with(p.peer.get(), "x", std::vector<int>(253, a.get()), false))
    ++sent;
  CHECK(sent > 10);
  CHECK(open_descriptors() == before);
  p.server.rt.reactor().call_from_thread(
    [&] { who->enter([&] { who->transport().resume_producing(); }); });
  REQUIRE(log.wait_for("read " + std::to_string(sent)));
  CHECK(log.count("descriptor a") == sent * 253);
  CHECK(descriptors_become(before));
}

TEST_CASE("a descriptor for which the process has no room ends the connection with why") {
  events log;
  pair p{log, serves<taker>(log)};
  const auto a = named_descriptor("a");
  send_with(p.peer.get(), "x", {});
  REQUIRE(log.wait_for("x"));
  const auto before = open_descriptors();
  std::optional<few_descriptors> few{3};
  send_with(p.peer.get(), "y", std::vector<int>(10, a.get()));
  const bool ended = log.wait(3);
  few.reset();
  REQUIRE(ended);
  CHECK(
    log.all()
    == strings{"made", "x",
               "lost: Too many open files: " + make_error_code(errc::connection_lost).message()});
  CHECK(descriptors_become(before - 1));
}

TEST_CASE("a protocol in wrappers sends and takes descriptors as any") {
  events log;
  pair p{log, factory::of<timeout_factory>(serves<taker>(log, {.made = [](scripted& s) {
                                                           s.transport().send_file_descriptor(
                                                             named_descriptor("b"));
                                                           s.transport().write("hello");
                                                         }}))};
  const auto a = named_descriptor("a");
  send_with(p.peer.get(), "x", {a.get()});
  REQUIRE(log.wait(3));
  CHECK(log.all() == strings{"made", "descriptor a", "x"});
  const auto got = receive_with(p.peer.get());
  CHECK(got.text == "hello");
  REQUIRE(got.descriptors.size() == 1);
  CHECK(name_of(got.descriptors[0]) == "b");
}
