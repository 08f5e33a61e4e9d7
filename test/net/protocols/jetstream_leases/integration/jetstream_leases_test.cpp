// Leases over a real nats-server. Without that program the tests are skipped.

#include <troupe/jetstream_leases/jetstream_leases.hpp>

#include <csignal>

#include <troupe/leases/lease_errc.hpp>
#include <troupe/nats/jetstream.hpp>

#include "../../leases/lease_suite.hpp"
#include "../../nats/served_nats.hpp"
#include "support/directory.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

lease_store_ref store_at(const std::string& url, stream_storage storage = stream_storage::file) {
  // Not a local variable: GCC 12 takes an empty function among its members for one that was never made.
  const auto o = std::make_unique<jetstream_leases_options>();
  o->nats.servers = {url};
  o->storage = storage;
  o->timeout = 800ms;
  o->settle = quick_leases("x").ttl;
  return std::make_shared<jetstream_leases>(*o);
}

} // namespace

TEST_CASE("leases in a stream: one holder, greater tokens, given back at the end",
          "[jetstream_leases]") {
  if (!nats_server_installed())
    return;
  const directory folder;
  served_nats s{{.store_directory = folder.path}};
  stores_keep_leases([&] { return store_at(s.address().url); });
}

TEST_CASE("a node with a child whose lease is in a stream", "[.jetstream_lease_node]") {
  const auto* const first = the_first_process();
  if (first == nullptr)
    return;
  const auto url = first->hear();
  be_a_lease_node(store_at(url), first->hear());
}

TEST_CASE("a child is on one process at a time, by a stream: kill -9, SIGSTOP, an orderly end",
          "[jetstream_leases]") {
  if (!nats_server_installed())
    return;
  const directory folder;
  served_nats s{{.store_directory = folder.path}};
  processes_share_a_child("[.jetstream_lease_node]", {s.address().url});
}

TEST_CASE("a server that stands still for longer than the lease: all lose it, and one has it again",
          "[jetstream_leases]") {
  if (!nats_server_installed())
    return;
  const directory folder;
  served_nats s{{.store_directory = folder.path, .health_interval = duration::max()}};
  lease_program a{store_at(s.address().url), quick_leases("a")};
  lease_program b{store_at(s.address().url), quick_leases("b")};
  a.acquire("x");
  REQUIRE(a.what.wait_for("held x"));
  b.acquire("x");
  const auto token = a.view().token();
  ::kill(s.address().pid, SIGSTOP);
  const bool lost = a.what.wait_for("lost x");
  const bool held = a.view().held() || b.what.count("held x") != 0;
  ::kill(s.address().pid, SIGCONT);
  CHECK(lost);
  CHECK_FALSE(held);
  a.release();
  REQUIRE(b.what.wait_for("held x"));
  CHECK(b.view().token() > token);
}

TEST_CASE("a server that is killed and comes back within the time takes nothing away",
          "[jetstream_leases]") {
  if (!nats_server_installed())
    return;
  const directory folder;
  served_nats s{{.store_directory = folder.path}};
  auto o = quick_leases("a");
  o.ttl = 20s;
  lease_program a{store_at(s.address().url), o};
  a.acquire("x");
  REQUIRE(a.what.wait_for("held x"));
  const auto token = a.view().token();
  ::kill(s.address().pid, SIGKILL);
  REQUIRE(s.starts.wait(2));
  const auto renewed = a.locks->counters().renewed;
  const auto end = std::chrono::steady_clock::now() + 25s;
  while (a.locks->counters().renewed < renewed + 2 && std::chrono::steady_clock::now() < end)
    std::this_thread::yield();
  CHECK(a.view().held());
  CHECK(a.view().token() == token);
  CHECK(a.what.count("lost x") == 0);
}

TEST_CASE(
  "a stream that is made anew, or has lost all, takes leases away, and gives none for their "
  "time",
  "[jetstream_leases]") {
  const bool is_removed = GENERATE(true, false);
  if (!nats_server_installed())
    return;
  const directory folder;
  served_nats s{{.store_directory = folder.path}};
  joined_nats admin{s};
  admin.connect();
  // In memory: of a file Debian's server removes the folder, when there is a new stream in it.
  lease_program a{store_at(s.address().url, stream_storage::memory), quick_leases("a")};
  lease_program b{store_at(s.address().url, stream_storage::memory), quick_leases("b")};
  a.acquire("x");
  REQUIRE(a.what.wait_for("held x"));
  const auto view = a.view();
  b.acquire("y"); // so it has seen the first stream
  REQUIRE(b.what.wait_for("held y"));
  b.acquire("x");
  jetstream js{*admin.nats};
  if (is_removed)
    on_loop(s.run, [&] { return js.delete_stream("leases"); });
  else
    on_loop(s.run, [&] { return js.purge_stream("leases"); });
  REQUIRE(a.what.wait_for("lost x"));
  REQUIRE(b.what.wait_for("lost y"));
  CHECK(b.what.count("held x") == 0);
  CHECK_FALSE(view.held());
  REQUIRE(b.what.wait_for("held x"));
  CHECK(b.view().token() > view.token());
}

TEST_CASE("a stream of that name that is another's is left alone", "[jetstream_leases]") {
  if (!nats_server_installed())
    return;
  const directory folder;
  served_nats s{{.store_directory = folder.path}};
  joined_nats admin{s};
  admin.connect();
  jetstream js{*admin.nats};
  on_loop(s.run, [&] { return js.create_stream({.name = "leases", .subjects = {"else"}}); });
  failure why;
  lease_program a{store_at(s.address().url)};
  on_loop(a.run, 1, [&] {
    a.who().enter([&] {
      acquire_options o;
      o.wait = 1500ms;
      a.locks->acquire(a.who(), "x", std::move(o))
        .add_callbacks([](lease) {},
                       [&](const failure& f) {
                         why = f;
                         a.what.add("refused");
                       });
    });
  });
  REQUIRE(a.what.wait_for("refused"));
  CHECK(why.check(lease_errc::wrong_store));
}
