// Files and chats between two clients, over sockets.

#include <troupe/irc/dcc_file.hpp>

#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <iterator>
#include <limits>
#include <string>

#include <troupe/net/connect_tcp.hpp>
#include <troupe/net/listen_tcp.hpp>
#include <troupe/net/tcp_endpoint.hpp>

#include "support/catch.hpp"
#include "support/client.hpp"
#include "support/directory.hpp"
#include "support/on_loop.hpp"
#include "support/running.hpp"

using namespace troupe;
using namespace troupe::irc;
using namespace std::chrono_literals;
using namespace std::string_literals;
namespace fs = std::filesystem;

namespace {

/// Two folders, which go with it.
struct folders {
  folders() {
    fs::create_directory(root / "out");
    fs::create_directory(root / "in");
  }

  std::string put(const std::string& name, const std::string& text) const {
    std::ofstream{root / name, std::ios::binary} << text;
    return (root / name).string();
  }
  [[nodiscard]] std::string get(const std::string& name) const {
    std::ifstream in{root / name, std::ios::binary};
    return {std::istreambuf_iterator<char>{in}, {}};
  }
  [[nodiscard]] std::string in() const { return (root / "in").string(); }
  const testing::directory own;
  const fs::path root = own.path;
};

/// What a deferred came to, for the thread of the test.
template <class T>
std::shared_future<outcome<T>> watch(deferred<T> d) {
  const auto got = std::make_shared<std::promise<outcome<T>>>();
  auto later = got->get_future().share();
  std::move(d).add_both([got](outcome<T> o) { got->set_value(std::move(o)); });
  return later;
}

dcc_receive_options into(const std::string& folder) {
  dcc_receive_options o;
  o.folder = folder;
  o.rules.private_addresses = true;
  return o;
}

dcc_listen_options local() {
  dcc_listen_options o;
  o.interface = "127.0.0.1";
  return o;
}

std::string text_of(std::size_t size) {
  std::string text;
  for (std::size_t i = 0; text.size() < size; ++i)
    text += std::to_string(i) + ' ';
  text.resize(size);
  return text;
}

/// Sends what it was given, and says that it will send no more.
class speaker : public protocol {
public:
  speaker(caf::actor_config& cfg, std::string text) : protocol(cfg), text_(std::move(text)) {}
  void connection_made() override {
    transport().write(text_);
    transport().lose_connection();
  }
  void data_received(bytes_view) override {}

private:
  const std::string text_;
};

dcc_request offer_at(std::uint16_t port, const std::string& file,
                     std::optional<std::uint64_t> size) {
  dcc_request r;
  r.file = file;
  r.address = net_address::ip("127.0.0.1", port);
  r.port = port;
  r.size = size;
  return r;
}

} // namespace

TEST_CASE("DCC: a file arrives whole, whatever its size, and both sides know it") {
  const folders f;
  testing::running r{1};
  r.start();
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, std::size_t{65'536}, std::size_t{3'000'001}}) {
    CAPTURE(size);
    const auto name = "file" + std::to_string(size);
    const auto text = text_of(size);
    const auto path = f.put("out/" + name, text);
    const auto both = on_loop(r, [&] {
      const auto offer = offer_file(r.rt, path, "127.0.0.1", local());
      CHECK(offer->request().size == size);
      return std::pair{watch(offer->sent()),
                       watch(receive_file(r.rt, offer->request(), into(f.in())))};
    });
    REQUIRE(both.second.get());
    CHECK(both.second.get()->bytes == size);
    CHECK(both.second.get()->path == f.in() + '/' + name);
    REQUIRE(both.first.get());
    CHECK(*both.first.get() == size);
    CHECK(f.get("in/" + name) == text);
  }
}

TEST_CASE("DCC: a part that is there is resumed, and the rest alone is sent") {
  const folders f;
  testing::running r{1};
  r.start();
  const auto text = text_of(200'000);
  const auto path = f.put("out/big", text);
  f.put("in/big", text.substr(0, 70'000) + "this is cut off");
  const auto both = on_loop(r, [&] {
    const auto offer = offer_file(r.rt, path, "127.0.0.1", local());
    auto other = resume_request(offer->request(), 70'000);
    other.port = 1;
    CHECK_FALSE(offer->resume(other));
    CHECK_FALSE(offer->resume(resume_request(offer->request(), 200'001)));
    const auto accept = offer->resume(resume_request(offer->request(), 70'000));
    REQUIRE(accept);
    CHECK(accept->kind == dcc_kind::accept);
    auto o = into(f.in());
    o.resume_at = accept->position;
    return std::pair{watch(offer->sent()), watch(receive_file(r.rt, offer->request(), o))};
  });
  REQUIRE(both.second.get());
  CHECK(both.second.get()->bytes == 200'000);
  REQUIRE(both.first.get());
  CHECK(f.get("in/big") == text);
}

TEST_CASE("DCC: an offer on port 0 is answered by listening") {
  const folders f;
  testing::running r{1};
  r.start();
  auto offer = offer_at(0, "x.txt", 5);
  offer.token = "7";
  const auto got = on_loop(r, [&] {
    auto answered = receive_file_here(r.rt, offer, "127.0.0.1", into(f.in()), local());
    CHECK(answered.reply.token == "7");
    REQUIRE(answered.reply.port != 0);
    connect_tcp(r.rt, "127.0.0.1", answered.reply.port,
                client_factory::for_protocol<speaker>(std::string{"hello"}));
    return watch(std::move(answered.received));
  });
  REQUIRE(got.get());
  CHECK(f.get("in/x.txt") == "hello");
}

TEST_CASE("DCC: what comes short fails and stays, what is too much is not written") {
  const folders f;
  testing::running r{1};
  const auto port = listen_tcp(r.rt, 0, factory::for_protocol<speaker>(std::string{"0123456789"}))
                      .get_host()
                      .port();
  r.start();
  const auto receive = [&](const dcc_request& offer, std::uint64_t most) {
    return on_loop(r, [&] {
      auto o = into(f.in());
      o.rules.most_bytes = most;
      return watch(receive_file(r.rt, offer, o));
    });
  };
  const auto shorter = receive(offer_at(port, "short", 15), 100);
  REQUIRE_FALSE(shorter.get());
  CHECK(shorter.get().error().message().find("5 bytes short") != std::string::npos);
  CHECK(f.get("in/short") == "0123456789");
  const auto longer = receive(offer_at(port, "long", 4), 100);
  REQUIRE(longer.get());
  CHECK(f.get("in/long") == "0123");
  const auto unknown = receive(offer_at(port, "unknown", {}), 100);
  REQUIRE(unknown.get());
  CHECK(f.get("in/unknown") == "0123456789");
  const auto limited = receive(offer_at(port, "limited", {}), 6);
  REQUIRE_FALSE(limited.get());
  CHECK(limited.get().error().message().find("larger than is accepted") != std::string::npos);
  CHECK(f.get("in/limited") == "012345");
}

TEST_CASE("DCC: files that are there, links and folders are not written to") {
  const folders f;
  testing::running r{1};
  const auto port =
    listen_tcp(r.rt, 0, factory::for_protocol<speaker>(std::string{"new"})).get_host().port();
  f.put("in/there", "old");
  f.put("out/target", "old");
  fs::create_symlink(f.root / "out/target", f.root / "in/link");
  fs::create_directory(f.root / "in/folder");
  r.start();
  const auto receive = [&](const std::string& name, bool overwrite,
                           std::optional<std::uint64_t> resume_at = {}) {
    return on_loop(r,
                   [&] {
                     auto o = into(f.in());
                     o.overwrite = overwrite;
                     o.resume_at = resume_at;
                     return watch(receive_file(r.rt, offer_at(port, name, 3), o));
                   })
      .get();
  };
  CHECK_FALSE(receive("there", false));
  CHECK(f.get("in/there") == "old");
  for (const bool overwrite : {false, true}) {
    CHECK_FALSE(receive("link", overwrite));
    CHECK_FALSE(receive("folder", overwrite));
  }
  CHECK_FALSE(receive("missing", false, 1));
  CHECK_FALSE(receive("there", false, 4));
  CHECK(f.get("out/target") == "old");
  CHECK(receive("there", true));
  CHECK(f.get("in/there") == "new");
  // A path leads nowhere else.
  CHECK(receive("../../out/target", false));
  CHECK(f.get("in/target") == "new");
  CHECK(f.get("out/target") == "old");
}

TEST_CASE("DCC: only who is expected gets a file, and an offer that is withdrawn is over") {
  const folders f;
  testing::running r{1};
  r.start();
  const auto path = f.put("out/secret", "secret");
  const auto results = on_loop(r, [&] {
    auto listen = local();
    listen.expected_host = "127.0.0.2";
    const auto offer = offer_file(r.rt, path, "127.0.0.1", listen);
    return std::tuple{offer, watch(offer->sent()),
                      watch(receive_file(r.rt, offer->request(), into(f.in())))};
  });
  CHECK_FALSE(std::get<2>(results).get());
  CHECK(f.get("in/secret").empty());
  on_loop(r, [&] {
    std::get<0>(results)->withdraw();
    return true;
  });
  REQUIRE_FALSE(std::get<1>(results).get());
  CHECK(std::get<1>(results).get().error().check(errc::cancelled));
}

TEST_CASE(
  "DCC: an offer for which nobody comes ends in time, and a stranger's address is refused") {
  const folders f;
  testing::running r{1};
  r.start();
  const auto path = f.put("out/a", "a");
  const auto sent = on_loop(r, [&] {
    auto listen = local();
    listen.wait = 20ms;
    return watch(offer_file(r.rt, path, "127.0.0.1", listen)->sent());
  });
  REQUIRE_FALSE(sent.get());
  CHECK(sent.get().error().check(errc::timed_out));
  const auto refused = on_loop(
    r, [&] { return watch(receive_file(r.rt, offer_at(5000, "a", 1), dcc_receive_options{})); });
  REQUIRE_FALSE(refused.get());
  CHECK(refused.get().error().check(errc::invalid_argument));
}

TEST_CASE(
  "DCC: a receiver that never acknowledges is done when it closes behind the last byte, and given "
  "up when it does not") {
  const folders f;
  testing::running r{1};
  r.start();
  const auto text = text_of(300'000);
  const auto path = f.put("out/a", text);
  for (const bool closes : {true, false}) {
    CAPTURE(closes);
    const auto offered = on_loop(r, [&] {
      const auto offer = offer_file(r.rt, path, "127.0.0.1", local(), closes ? 60s : 1s);
      return std::pair{offer->request(), watch(offer->sent())};
    });
    testing::client receiver{offered.first.port};
    CHECK(receiver.receive(text.size()) == text);
    if (closes)
      receiver.close();
    const auto sent = offered.second.get();
    CHECK(sent.has_value() == closes);
    if (!closes)
      CHECK(sent.error().check(errc::idle_timed_out));
  }
}

TEST_CASE("DCC: a receiver that takes nothing is given up") {
  const folders f;
  testing::running r{1};
  r.start();
  const auto path = f.put("out/a", text_of(30'000'000));
  const auto offered = on_loop(r, [&] {
    const auto offer = offer_file(r.rt, path, "127.0.0.1", local(), 100ms);
    return std::pair{offer->request(), watch(offer->sent())};
  });
  testing::client receiver{offered.first.port};
  REQUIRE_FALSE(offered.second.get());
}

TEST_CASE(
  "DCC: a file that grows is sent as it was offered, and one that shrinks is not called whole") {
  const folders f;
  testing::running r{1};
  r.start();
  for (const bool grows : {true, false}) {
    CAPTURE(grows);
    const auto name = grows ? "longer"s : "shorter"s;
    const auto path = f.put("out/" + name, text_of(1000));
    const auto both = on_loop(r, [&] {
      const auto offer = offer_file(r.rt, path, "127.0.0.1", local());
      fs::resize_file(path, grows ? 5000 : 400);
      return std::pair{watch(offer->sent()),
                       watch(receive_file(r.rt, offer->request(), into(f.in())))};
    });
    CHECK(both.first.get().has_value() == grows);
    CHECK(both.second.get().has_value() == grows);
    CHECK(f.get("in/" + name) == text_of(1000).substr(0, grows ? 1000 : 400));
  }
}

TEST_CASE(
  "DCC: positions beyond the end, ports that do not fit, and names of nothing are refused") {
  const folders f;
  testing::running r{1};
  r.start();
  const auto refused = [&](dcc_request offer,
                           const std::function<void(dcc_receive_options&)>& set) {
    const auto got = on_loop(r, [&] {
      auto o = into(f.in());
      o.rules.most_bytes = 100;
      set(o);
      return watch(receive_file(r.rt, offer, o));
    });
    return !got.get() && got.get().error().check(errc::invalid_argument);
  };
  constexpr auto last = std::numeric_limits<std::uint64_t>::max();
  const auto nothing = [](auto&) {
  };
  for (const auto at : {std::uint64_t{11}, last})
    CHECK(refused(offer_at(5000, "a", 10), [at](auto& o) { o.resume_at = at; }));
  for (const auto at : {std::uint64_t{101}, last})
    CHECK(refused(offer_at(5000, "a", {}), [at](auto& o) { o.resume_at = at; }));
  CHECK(refused(offer_at(5000, "a", last), nothing));
  CHECK(refused(offer_at(0, "a", 1), nothing));
  CHECK(refused(offer_at(25, "a", 1), nothing));
  CHECK(refused(offer_at(5000, "../..", 1), nothing));
  for (const auto& name : {"a/b"s, ".."s, "."s, "a\0b"s})
    CHECK(refused(offer_at(5000, "a", 1), [&](auto& o) { o.name = name; }));
  auto backwards = offer_at(5000, "a", 1);
  backwards.token = "7";
  CHECK(
    on_loop(r,
            [&] {
              return watch(
                receive_file_here(r.rt, backwards, "127.0.0.1", into(f.in()), local()).received);
            })
      .get()
      .error()
      .check(errc::invalid_argument));
  CHECK(fs::is_empty(f.root / "in"));
}

TEST_CASE("DCC: who is waited for and no longer wanted finds the port closed, and writes nothing") {
  const folders f;
  testing::running r{1};
  r.start();
  auto offer = offer_at(0, "x", 5);
  offer.token = "7";
  const auto answered = on_loop(r, [&] {
    auto here = receive_file_here(r.rt, offer, "127.0.0.1", into(f.in()), local());
    const auto stop = here.received.canceller();
    auto later = watch(std::move(here.received));
    stop.cancel();
    return std::pair{here.reply.port, later};
  });
  REQUIRE_FALSE(answered.second.get());
  CHECK(answered.second.get().error().check(errc::cancelled));
  const auto end = std::chrono::steady_clock::now() + 10s;
  bool closed = false;
  while (!closed && std::chrono::steady_clock::now() < end)
    try {
      testing::client late{answered.first};
      CHECK(late.rest().empty());
    } catch (const std::exception&) {
      closed = true;
    }
  CHECK(closed);
  CHECK(fs::is_empty(f.root / "in"));
}

namespace {

class mirror : public dcc_chat {
public:
  using dcc_chat::dcc_chat;
  void message(std::string_view text) override { say(std::string{text} + "\nand\n"); }
};

class listener : public protocol {
public:
  listener(caf::actor_config& cfg, testing::events& told) : protocol(cfg), told_(told) {}
  void connection_made() override {
    transport().write("hello\r\n" + std::string(600, 'x') + "\nend\n");
  }
  void data_received(bytes_view data) override {
    all_ += as_text(data);
    if (all_.ends_with("end\nand\n"))
      told_.add(all_);
  }

private:
  std::string all_;
  testing::events& told_;
};

} // namespace

TEST_CASE("DCC: a chat is lines, of which those that are too long are passed over") {
  testing::events told;
  testing::running r{1};
  const auto port = listen_dcc(r.rt, factory::for_protocol<mirror>(), local());
  connect_tcp(r.rt, "127.0.0.1", port.get_host().port(),
              client_factory::for_protocol<listener>(std::ref(told)));
  r.start();
  REQUIRE(told.wait(1));
  CHECK(told.all() == std::vector<std::string>{"hello\nand\nend\nand\n"});
}
