#include <troupe/net/detail/output_queue.hpp>

#include <array>
#include <string>
#include <string_view>

#include "support/catch.hpp"

using namespace troupe;
using namespace troupe::detail;

namespace {

std::string_view text_of(const iovec& piece) {
  return {static_cast<const char*>(piece.iov_base), piece.iov_len};
}

} // namespace

TEST_CASE("output that lies side by side is one piece") {
  chunk_pool pool;
  output_queue queue{pool};
  CHECK_FALSE(queue.is_one_piece());
  queue.append(as_bytes("hello, "));
  queue.append(as_bytes("world"));
  REQUIRE(queue.is_one_piece());
  CHECK(text_of(queue.front()) == "hello, world");
  queue.consume(7);
  REQUIRE(queue.is_one_piece());
  CHECK(text_of(queue.front()) == "world");
  queue.consume(5);
  CHECK(queue.empty());
  CHECK_FALSE(queue.is_one_piece());
}

TEST_CASE("what does not fit behind what waits fills it, and goes on in another piece") {
  chunk_pool pool;
  output_queue queue{pool};
  std::string all;
  for (const char c : {'a', 'b', 'c'}) {
    const std::string text(300, c);
    queue.append(as_bytes(text));
    all += text;
  }
  CHECK(queue.size() == 900);
  std::array<iovec, 4> pieces;
  REQUIRE(queue.gather(pieces) == 2);
  CHECK(pieces[0].iov_len == chunk_pool::small_bytes - sizeof(troupe::detail::output_chunk));
  CHECK(std::string{text_of(pieces[0])}.append(text_of(pieces[1])) == all);
}

TEST_CASE("bytes behind shared ones are a piece of their own") {
  chunk_pool pool;
  output_queue queue{pool};
  const std::string large(1024, 'x');
  queue.append(shared_bytes{large});
  queue.append(as_bytes("and "));
  queue.append(shared_bytes{std::string_view{"the rest"}});
  std::array<iovec, 4> pieces;
  REQUIRE(queue.gather(pieces) == 2);
  CHECK(text_of(pieces[0]) == large);
  CHECK(text_of(pieces[1]) == "and the rest");
}

TEST_CASE("a piece that referred to shared bytes lets go of them, and is used again") {
  chunk_pool pool;
  auto* const piece = pool.take_head();
  piece->shared = shared_bytes{std::string(2000, 'x')};
  piece->end = 2000;
  pool.give_back(piece);
  auto* const again = pool.take_head();
  CHECK(again == piece);
  CHECK(again->shared.empty());
  CHECK(again->end == 0);
  pool.give_back(again);
  auto* const roomy = pool.take(1, true); // never one without room
  CHECK(roomy != piece);
  pool.give_back(roomy);
}

TEST_CASE("shared output behind it is a piece of its own, and all pieces are gathered in order") {
  chunk_pool pool;
  output_queue queue{pool};
  const std::string large(64 * 1024, 'x');
  queue.append(as_bytes("head"));
  queue.append(shared_bytes{large});
  CHECK_FALSE(queue.is_one_piece());
  std::array<iovec, 4> pieces;
  REQUIRE(queue.gather(pieces) == 2);
  CHECK(text_of(pieces[0]) == "head");
  CHECK(text_of(pieces[1]) == large);
  queue.consume(4 + 10);
  REQUIRE(queue.is_one_piece());
  CHECK(text_of(queue.front()) == std::string_view{large}.substr(10));
  queue.clear();
  CHECK_FALSE(queue.is_one_piece());
}
