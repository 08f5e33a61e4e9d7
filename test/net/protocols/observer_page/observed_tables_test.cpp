// What the tables of the page are made of: the first rows of all, and counts of the rest.

#include "observed_tables.hpp"
#include "support/catch.hpp"

using namespace troupe;
using nlohmann::json;

namespace {

observed<observed_actor> some_actors() {
  observed<observed_actor> of;
  of.all = {{.id = 7, .kind = "connection", .name = "b", .mailbox = 3},
            {.id = 8, .kind = "port", .name = "a"},
            {.id = 9, .kind = "connection", .name = "<b>c</b>", .timers = 2, .mailbox = 10}};
  of.omitted = 4;
  return of;
}

std::vector<std::uint64_t> ids(const json& table) {
  std::vector<std::uint64_t> all;
  for (const auto& row : table["rows"])
    all.push_back(row[0]);
  return all;
}

} // namespace

TEST_CASE("a table has the rows that come first of all, in either direction") {
  const auto of = some_actors();
  using order = std::vector<std::uint64_t>;
  CHECK(ids(troupe::detail::actors_table(of, {"mailbox", true, 200})) == order{9, 7, 8});
  CHECK(ids(troupe::detail::actors_table(of, {"mailbox", false, 200})) == order{8, 7, 9});
  CHECK(ids(troupe::detail::actors_table(of, {"name", false, 2}))
        == order{9, 8}); // "<" is before letters
  CHECK(ids(troupe::detail::actors_table(of, {"no column", true, 1})) == order{9}); // by id
  CHECK(ids(troupe::detail::actors_table(of, {"kind", false, 200}))
        == order{7, 9, 8}); // equal ones as they came
  CHECK(ids(troupe::detail::actors_table(of, {"id", true, 0})).empty());
}

TEST_CASE("a table says what it leaves out, and how it is sorted") {
  const auto t = troupe::detail::actors_table(some_actors(), {"mailbox", true, 1});
  CHECK(t["all"] == 3);
  CHECK(t["omitted"] == 4);
  CHECK(t["by"] == "mailbox");
  CHECK(t["down"] == true);
  CHECK(t["columns"] == json({"id", "loop", "kind", "name", "mailbox", "timers"}));
  CHECK(t["rows"] == json::parse(R"([[9, 0, "connection", "<b>c</b>", 10, 2]])"));
}

TEST_CASE("kinds add up what their actors have") {
  const auto t = troupe::detail::kinds_table(some_actors(), 200);
  CHECK(t["columns"] == json({"count", "kind", "mailboxes", "longest", "timers"}));
  CHECK(t["rows"] == json::parse(R"([[2, "connection", 13, 10, 2], [1, "port", 0, 0, 0]])"));
}

TEST_CASE("of handlers, those that took the most time come first") {
  handler_time quick{.kind = "quick", .messages = 1000, .turns = 10};
  quick.busy = std::chrono::milliseconds{2};
  handler_time slow{.kind = "slow", .messages = 3, .turns = 3};
  slow.busy = std::chrono::seconds{2};
  slow.longest_turn = std::chrono::seconds{1};
  slow.longest_wait = std::chrono::milliseconds{500};
  const auto t = troupe::detail::handlers_table({quick, slow}, 200);
  CHECK(t["columns"] == json({"handlers", "messages", "time", "longest_turn", "longest_wait"}));
  CHECK(t["rows"]
        == json::parse(R"([["slow", 3, 2.0, 1.0, 0.5], ["quick", 1000, 0.002, 0.0, 0.0]])"));
}

TEST_CASE("a tree has its restarts, and no more children than are wanted") {
  observed_child root{.id = "root", .actor = 1, .strategy = restart_strategy::one_for_one};
  root.children.push_back({.id = "a", .actor = 2, .restarts = 5});
  root.children.push_back({.id = "b", .state = child_state::stopped});
  observed<observed_child> of;
  of.all.push_back(root);
  const auto t = troupe::detail::trees_list(of, 1);
  REQUIRE(t.size() == 1);
  CHECK(t[0]["how"] == "one_for_one");
  CHECK(t[0]["more"] == 1);
  REQUIRE(t[0]["children"].size() == 1);
  CHECK(t[0]["children"][0]["restarts"] == 5);
  CHECK(t[0]["children"][0]["state"] == "running");
}

TEST_CASE("the memory of this process is more than nothing") {
  CHECK(troupe::detail::resident_memory() > 1024 * 1024);
}
