// A nats-server of this process: there before its runtime and after it, and never longer than the process.

#include <troupe/nats/embedded_nats_server.hpp>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <optional>

#include <sys/stat.h>

#include "support/directory.hpp"
#include "support/other_process.hpp"
#include "support/programs_end.hpp"

#include "served_nats.hpp"
#include "temporary_store.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

/// A client of it, with a runtime of its own.
std::string said_and_heard(const std::string& url) {
  running run{1};
  run.start();
  auto heard = std::make_shared<events>();
  auto nats = std::make_shared<std::unique_ptr<nats_connection>>();
  auto sub = std::make_shared<nats_subscription>();
  on_loop(run, [&run, url, heard, nats, sub] {
    *nats = std::make_unique<nats_connection>(run.rt, nats_options{.servers = {url}});
    (void)(*nats)->start_service();
    *sub = (*nats)->subscribe(
      "a", [heard](const nats_message_view& m) { heard->add(std::string{m.payload}); });
    (void)(*nats)->publish("a", "hello");
    return (*nats)->flush();
  });
  const auto all = heard->all();
  on_loop(run, [nats, sub] {
    *sub = {};
    nats->reset();
  });
  return all.empty() ? "nothing" : all.front();
}

std::size_t entries(const std::string& folder) {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator{folder},
                                                std::filesystem::directory_iterator{}));
}

} // namespace

TEST_CASE("an embedded server is ready when it is made, and gone with its folder when it ends") {
  if (!nats_server_installed())
    return;
  std::string folder;
  pid_t pid = 0;
  {
    embedded_nats_server nats{{.temporary_store = true}};
    folder = nats.store_directory();
    pid = nats.address().pid;
    CHECK(std::filesystem::is_directory(folder));
    CHECK(nats.url() == "nats://127.0.0.1:" + std::to_string(nats.address().port));
    CHECK(said_and_heard(nats.url()) == "hello");
    CHECK(said_and_heard(nats.url()) == "hello");
  }
  CHECK(gone(pid));
  CHECK(!std::filesystem::exists(std::filesystem::path{folder}.parent_path()));
}

TEST_CASE("an embedded server without a store has no JetStream, and one with a folder leaves it") {
  if (!nats_server_installed())
    return;
  directory d;
  CHECK(embedded_nats_server{}.store_directory().empty());
  CHECK(embedded_nats_server{{.server = {.store_directory = d / "js"}, .temporary_store = true}}
          .store_directory()
        == d / "js");
  CHECK(std::filesystem::is_directory(d / "js"));
}

TEST_CASE("an embedded server that is killed is there again at its port") {
  if (!nats_server_installed())
    return;
  events starts;
  embedded_nats_server nats{{.server = {.started = [&](const nats_server_address& where) {
                               starts.add(where.url);
                             }}}};
  const auto first = nats.address();
  ::kill(first.pid, SIGKILL);
  REQUIRE(starts.wait(2));
  CHECK(nats.url() == first.url);
  CHECK(nats.address().pid != first.pid);
  CHECK(said_and_heard(first.url) == "hello");
}

TEST_CASE("has a server", "[.has_a_server]") {
  if (const auto* const first = the_first_process()) {
    embedded_nats_server nats{{.temporary_store = true}};
    first->tell(std::to_string(nats.address().pid));
    (void)first->hear();
  }
}

TEST_CASE("an embedded server does not outlive its process, and what it kept goes with the next") {
  if (!nats_server_installed())
    return;
  directory d;
  other_process far{"[.has_a_server]", {"TMPDIR=" + d.path}};
  const auto server = static_cast<pid_t>(std::stol(far.hear()));
  CHECK(::kill(server, 0) == 0);
  CHECK(entries(d.path) == 1);
  far.kill();
  CHECK(gone(server));
  CHECK(far.end() == -1);      // the lock goes with its last thread
  CHECK(entries(d.path) == 1); // is left
  {
    troupe::detail::temporary_store next{d.path};
    CHECK(entries(d.path) == 1);
    CHECK(std::filesystem::exists(next.path()));
  }
  CHECK(entries(d.path) == 0);
}

TEST_CASE("a server that is not installed, or does not start, is an exception that says so") {
  const auto refusal = [](embedded_nats_options options) -> std::string {
    try {
      embedded_nats_server nats{std::move(options)};
    } catch (const std::exception& e) {
      return e.what();
    }
    return {};
  };
  CHECK(refusal({.server = {.program = "/nonexistent/nats-server"}})
          .starts_with("/nonexistent/nats-server: No such file or directory"));
  CHECK(refusal({.server = {.program = "false"}}) != "");
  if (!nats_server_installed())
    CHECK(refusal({}).find("in Debian's package nats-server") != std::string::npos);
  else
    CHECK(refusal({.server = {.more = "nonsense: 3"}}).find("unknown field \"nonsense\"")
          != std::string::npos);
}

TEST_CASE("a temporary folder is removed by nobody while its process is there") {
  directory d;
  std::optional<troupe::detail::temporary_store> first{d.path};
  const auto path = first->path();
  {
    troupe::detail::temporary_store second{d.path};
    CHECK(std::filesystem::exists(path));
    CHECK(second.path() != path);
  }
  CHECK(entries(d.path) == 1);
  std::ofstream{path + "/something"} << "kept\n";
  first.reset();
  CHECK(entries(d.path) == 0);
}

TEST_CASE("what only looks like such a folder is left alone") {
  directory d;
  std::filesystem::create_directory(d / "troupe-nats-unlocked");
  std::filesystem::create_directory(d / "elsewhere");
  std::ofstream{d / "elsewhere/lock"} << "";
  std::filesystem::create_directory_symlink(d / "elsewhere", d / "troupe-nats-link");
  std::ofstream{d / "troupe-nats-file"} << "";
  std::filesystem::create_directory(d / "troupe-nats-pipe");
  REQUIRE(::mkfifo((d / "troupe-nats-pipe/lock").c_str(), 0600) == 0);
  std::filesystem::create_directory(d / "troupe-nats-left");
  std::ofstream{d / "troupe-nats-left/lock"} << "";
  { troupe::detail::temporary_store store{d.path}; }
  CHECK(entries(d.path) == 5);
  CHECK(!std::filesystem::exists(d / "troupe-nats-left"));
  CHECK_THROWS_AS(troupe::detail::temporary_store{d / "nowhere"}, std::system_error);
}
