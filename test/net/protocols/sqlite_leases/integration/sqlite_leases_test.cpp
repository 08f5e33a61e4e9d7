// Leases in a file that several processes share.

#include <troupe/sqlite_leases/sqlite_leases.hpp>

#include <filesystem>
#include <fstream>

#include <sqlite3.h>

#include <troupe/leases/lease_errc.hpp>

#include "../../leases/lease_suite.hpp"
#include "support/directory.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;
using Catch::Contains;

namespace {

lease_store_ref store_in(const std::string& file) {
  sqlite_leases_options o;
  o.file = file;
  return std::make_shared<sqlite_leases>(o);
}

std::string refusal(const std::string& file) {
  running run{1};
  try {
    const leases l{run.rt, store_in(file)};
  } catch (const std::system_error& e) {
    return e.what();
  }
  return {};
}

} // namespace

TEST_CASE("leases in a file: one holder, greater tokens, given back at the end",
          "[sqlite_leases]") {
  const directory folder;
  stores_keep_leases([&] { return store_in(folder / "leases.db"); });
}

TEST_CASE("a node with a child whose lease is in a file", "[.sqlite_lease_node]") {
  const auto* const first = the_first_process();
  if (first == nullptr)
    return;
  const auto file = first->hear();
  be_a_lease_node(store_in(file), first->hear());
}

TEST_CASE("a child is on one process at a time, by a file: kill -9, SIGSTOP, an orderly end",
          "[sqlite_leases]") {
  const directory folder;
  processes_share_a_child("[.sqlite_lease_node]", {folder / "leases.db"});
}

TEST_CASE("a file that is made anew has greater tokens", "[sqlite_leases]") {
  const directory folder;
  std::uint64_t before = 0;
  for (int i = 0; i < 2; ++i) {
    {
      lease_program a{store_in(folder / "leases.db")};
      a.acquire("x");
      REQUIRE(a.what.wait_for("held x"));
      CHECK(a.view().token() > before);
      before = a.view().token();
    }
    for (const auto& file : std::filesystem::directory_iterator{folder.path})
      std::filesystem::remove(file);
  }
}

TEST_CASE("while another process writes for long, leases are late, and held again when it is done",
          "[sqlite_leases]") {
  const directory folder;
  lease_program a{store_in(folder / "leases.db")};
  a.acquire("x");
  REQUIRE(a.what.wait_for("held x"));
  sqlite3* other = nullptr;
  REQUIRE(sqlite3_open((folder / "leases.db").c_str(), &other) == SQLITE_OK);
  sqlite3_busy_timeout(other, 5000);
  REQUIRE(sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr) == SQLITE_OK);
  REQUIRE(a.what.wait_for("lost x"));
  CHECK_FALSE(a.view().held());
  a.acquire("x");
  REQUIRE(sqlite3_exec(other, "COMMIT", nullptr, nullptr, nullptr) == SQLITE_OK);
  sqlite3_close(other);
  CHECK(a.what.wait_for("held x", 2));
}

TEST_CASE("files that are none of ours are refused in words", "[sqlite_leases]") {
  const directory folder;
  std::ofstream{folder / "text"} << std::string(5000, 'x');
  CHECK_THAT(refusal(folder / "text"),
             Contains(folder / "text") && Contains("choose another file"));
  sqlite3* other = nullptr;
  REQUIRE(sqlite3_open((folder / "other.db").c_str(), &other) == SQLITE_OK);
  REQUIRE(sqlite3_exec(other, "CREATE TABLE t (a)", nullptr, nullptr, nullptr) == SQLITE_OK);
  sqlite3_close(other);
  CHECK_THAT(refusal(folder / "other.db"), Contains("another program"));
  CHECK_THAT(refusal(folder / "none/leases.db"), Contains("look at the folder"));
  CHECK_THROWS_AS(store_in(""), std::invalid_argument);
}
