#include <troupe/runtime/metrics.hpp>

#include <limits>
#include <stdexcept>

#include <troupe/runtime/prometheus.hpp>
#include <troupe/testing/manual_runtime.hpp>

#include "support/catch.hpp"

using namespace troupe;

TEST_CASE("counters and gauges have names, and one text for their help", "[metrics]") {
  metrics all;
  const auto joined = all.add_counter("chat_joined_total", "Users who joined.");
  joined.add();
  joined.add(2);
  const auto size = all.add_gauge("chat_users", "Users who are there.", {{"room", "lobby"}});
  size.add(3);
  size.sub();
  all.add_gauge("chat_users", "Another text.", {{"room", "attic"}}).set(0.5);
  CHECK(all.text()
        == "# HELP chat_joined_total Users who joined.\n"
           "# TYPE chat_joined_total counter\n"
           "chat_joined_total 3\n"
           "# HELP chat_users Users who are there.\n"
           "# TYPE chat_users gauge\n"
           "chat_users{room=\"lobby\"} 2\n"
           "chat_users{room=\"attic\"} 0.5\n");
}

TEST_CASE("the same name and labels are the same counter, whatever the labels' order",
          "[metrics]") {
  metrics all;
  all.add_counter("a_total", "", {{"x", "1"}, {"y", "2"}}).add();
  const auto same = all.add_counter("a_total", "", {{"y", "2"}, {"x", "1"}});
  same.add();
  CHECK(same.value() == 2);
  CHECK(all.add_counter("a_total", "").value() == 0);
}

TEST_CASE("names that are none, and a name of another kind, are refused", "[metrics]") {
  metrics all;
  for (const auto* name : {"", "1a", "a b", "a-b", "\xc3\xa4"})
    CHECK_THROWS_AS(all.add_counter(name, ""), std::invalid_argument);
  CHECK_THROWS_AS(all.add_counter("a", "", {{"le:ss", ""}}), std::invalid_argument);
  (void)all.add_counter("a:b_c1", "");
  CHECK_THROWS_AS(all.add_gauge("a:b_c1", ""), std::invalid_argument);
}

TEST_CASE("texts of labels and help are escaped", "[metrics]") {
  metrics all;
  (void)all.add_counter("a", "one\ntwo \\ \"three\"", {{"room", "a\"b\\c\nd"}});
  CHECK(all.text()
        == "# HELP a one\\ntwo \\\\ \"three\"\n# TYPE a counter\na{room=\"a\\\"b\\\\c\\nd\"} 0\n");
}

TEST_CASE("labels that come from outside fill no memory", "[metrics]") {
  metrics all;
  for (std::size_t i = 0; i < metrics::most_values + 10; ++i)
    all.add_counter("a_total", "", {{"name", std::to_string(i)}}).add();
  CHECK(all.add_counter("a_total", "", {{"name", "other"}}).value() == 10);
}

TEST_CASE("a counter outlives what made it, and one of nothing counts nothing", "[metrics]") {
  metrics::counter none;
  none.add();
  CHECK(none.value() == 0);
  metrics::gauge{}.add();
  auto all = std::make_unique<metrics>();
  const auto count = all->add_counter("a_total", "");
  all.reset();
  count.add();
  CHECK(count.value() == 1);
}

TEST_CASE("a gauge that is no number is told as Prometheus knows it", "[metrics]") {
  metrics all;
  const auto g = all.add_gauge("g", "");
  g.set(std::numeric_limits<double>::infinity());
  CHECK(all.text().ends_with("g +Inf\n"));
  g.set(-std::numeric_limits<double>::infinity());
  CHECK(all.text().ends_with("g -Inf\n"));
}

TEST_CASE("the user's metrics stand beside those of the runtime", "[metrics]") {
  testing::manual_runtime rt;
  rt.metrics().add_counter("chat_joined_total", "Users who joined.").add(7);
  const auto text = prometheus_text(rt);
  CHECK(text.find("\nchat_joined_total 7\n") != std::string::npos);
  CHECK(text.find("\ntroupe_loop_unhandled_messages_total{loop=\"0\"} 0\n") != std::string::npos);
}
