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
