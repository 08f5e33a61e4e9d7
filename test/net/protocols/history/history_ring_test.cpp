#include "history_ring.hpp"

#include <string>
#include <vector>

#include "support/catch.hpp"

using namespace troupe;
using troupe::detail::history_ring;

namespace {

kept_ref message(std::uint64_t sequence, std::uint64_t previous, std::size_t bytes = 1) {
  return std::make_shared<const kept_message>(
    kept_message{{7, sequence}, previous, 0, {}, shared_bytes{std::string(bytes, 'x')}});
}

std::vector<std::uint64_t> sequences(const history_page& page) {
  std::vector<std::uint64_t> all;
  for (const auto& m : page.messages)
    all.push_back(m->at.sequence);
  return all;
}

using list = std::vector<std::uint64_t>;

} // namespace

TEST_CASE("a ring knows nothing until something has come", "[history]") {
  history_ring ring{3, 1000};
  CHECK_FALSE(ring.answers(0, 0));
  ring.push(message(5, 2));
  CHECK(ring.answers(2, 10));
  CHECK(ring.answers(3, 10)); // nothing of this topic is between 2 and 5
  CHECK_FALSE(ring.answers(1, 10));
  CHECK(ring.answers(1, 1));        // who wants no more than that needs no more
  CHECK_FALSE(ring.answers(6, 10)); // of the future: others may know
}

TEST_CASE("the oldest give way, by count and by bytes, and the ring says up to where",
          "[history]") {
  history_ring ring{3, 10};
  ring.push(message(1, 0));
  CHECK(ring.answers(0, 10));
  ring.push(message(2, 1));
  ring.push(message(4, 2));
  ring.push(message(8, 4));
  CHECK(ring.floor() == 1);
  CHECK_FALSE(ring.answers(0, 10));
  CHECK(sequences(ring.newest(1, 10)) == list{2, 4, 8});
  ring.push(message(9, 8, 9));
  CHECK(sequences(ring.newest(4, 10)) == list{8, 9});
  CHECK(ring.floor() == 4);
  ring.push(message(10, 9, 11)); // more than there is room for
  CHECK(ring.size() == 0);
  CHECK(ring.last() == 10);
  CHECK(ring.answers(10, 10));
  CHECK_FALSE(ring.answers(9, 10));
}

TEST_CASE("a ring that is made wider for a while has no more than usual after it", "[history]") {
  history_ring ring{2, 10};
  ring.widen(4, 5);
  for (std::uint64_t n = 1; n < 5; ++n)
    ring.push(message(n, n - 1, 2));
  CHECK(sequences(ring.newest(0, 10)) == list{1, 2, 3, 4}); // never less than usual: of bytes
  CHECK(sequences(ring.narrowed()->newest(2, 10)) == list{3, 4});
  CHECK(ring.narrowed()->floor() == 2);
  ring.push(message(5, 4));
  CHECK(ring.floor() == 1);
  ring.narrow();
  CHECK(sequences(ring.newest(3, 10)) == list{4, 5});
  CHECK(ring.floor() == 3);
  ring.push(message(6, 5));
  CHECK(ring.floor() == 4);
}

TEST_CASE("a page of a ring says from where on it has all", "[history]") {
  history_ring ring{10, 1000};
  for (std::uint64_t i = 1; i <= 5; ++i)
    ring.push(message(10 * i, 10 * (i - 1)));
  CHECK(ring.newest(0, 10).floor == 0);
  CHECK(ring.newest(0, 2).floor == 30);
  CHECK(sequences(ring.newest(0, 2)) == list{40, 50});
  CHECK(ring.newest(25, 10).floor == 20);
  CHECK(sequences(ring.newest(25, 10)) == list{30, 40, 50});
  CHECK(ring.newest(50, 10).messages.empty());
  CHECK(ring.newest(50, 10).floor == 50);
  CHECK(ring.newest(0, 0).floor == 50);
}

TEST_CASE("a ring takes what a store has in place of what it had", "[history]") {
  history_ring ring{2, 1000};
  ring.push(message(1, 0));
  history_page page;
  page.messages = {message(5, 3), message(6, 5), message(9, 6)};
  page.floor = 3;
  page.last = 9;
  ring.take(page);
  CHECK(ring.floor() == 5);
  CHECK(ring.last() == 9);
  ring.take({{}, 20, 20, 7}); // all are gone
  CHECK(ring.answers(20, 10));
  CHECK_FALSE(ring.answers(19, 10));
}

TEST_CASE("a ring takes what a page has before all that it has", "[history]") {
  history_ring ring{4, 1000};
  ring.push(message(6, 5));
  ring.push(message(9, 6));
  history_page page;
  page.messages = {message(3, 2), message(5, 3), message(6, 5)};
  page.floor = 2;
  page.last = 6;
  SECTION("as far as there is room") {
    ring.deepen(page);
    CHECK(sequences(ring.newest(0, 10)) == list{3, 5, 6, 9});
    CHECK(ring.floor() == 2);
    ring.push(message(11, 9));
    CHECK(ring.floor() == 3);
  }
  SECTION("not if something is missing between") {
    page.messages = {message(3, 2)};
    page.last = 3;
    ring.deepen(page);
    CHECK(sequences(ring.newest(0, 10)) == list{6, 9});
    CHECK(ring.floor() == 5);
  }
}

TEST_CASE("what a page does not have a ring does not know", "[history]") {
  history_ring ring{4, 1000};
  ring.take({{}, 0, 1, 7});
  CHECK(ring.last() == 0);
}

TEST_CASE("a place in a history is a text that is read again", "[history]") {
  const history_position p{1'764'342'000'123'456, 1042};
  CHECK(parse_history_position(to_string(p)) == p);
  const history_position largest{UINT64_MAX, UINT64_MAX};
  CHECK(parse_history_position(to_string(largest)) == largest);
  CHECK(to_string(history_position{}).empty());
  for (const auto* bad :
       {"", "-", "1-", "-1", "0-5", "k3f9", "k3f9-", "k3f9-1x", "k3f9 -1", "k3_9-1", "-5-1",
        "k3f9--1", "zzzzzzzzzzzzzzzz-1", "k-18446744073709551616"}) {
    INFO(bad);
    CHECK_FALSE(parse_history_position(bad));
  }
}
