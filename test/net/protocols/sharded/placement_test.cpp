#include "placement.hpp"

#include <map>
#include <string>
#include <vector>

#include "support/catch.hpp"

using namespace troupe;

TEST_CASE("a shard's owner depends on who is there, not on their order", "[sharded]") {
  const std::vector<std::string> nodes{"chat-1", "chat-2", "chat-3"};
  const std::vector<std::string> turned{"chat-3", "chat-1", "chat-2"};
  for (std::uint32_t shard = 0; shard < 256; ++shard)
    CHECK(troupe::detail::owner_of(shard, nodes) == troupe::detail::owner_of(shard, turned));
  CHECK(troupe::detail::owner_of(7, {}).empty());
  CHECK(troupe::detail::owner_of(7, {"one"}) == "one");
}

TEST_CASE("a node that comes or goes moves its own share only", "[sharded]") {
  std::vector<std::string> nodes;
  for (int i = 0; i < 10; ++i)
    nodes.push_back("node" + std::to_string(i));
  auto fewer = nodes;
  fewer.erase(fewer.begin() + 4);
  std::map<std::string, int> shares;
  for (std::uint32_t shard = 0; shard < 4096; ++shard) {
    const auto before = troupe::detail::owner_of(shard, nodes);
    const auto after = troupe::detail::owner_of(shard, fewer);
    ++shares[before];
    if (before != "node4")
      CHECK(before == after);
    else
      CHECK(after != "node4");
  }
  for (const auto& [node, share] : shares) {
    CHECK(share > 4096 / 10 * 7 / 10);
    CHECK(share < 4096 / 10 * 13 / 10);
  }
}

TEST_CASE("places are those of other builds, too", "[sharded]") {
  // Of nodes of different versions, each must say the same.
  CHECK(troupe::detail::hash_of("") == 0xc3817c016ba4ff30u);
  CHECK(troupe::detail::shard_of("lobby", 64) == 16);
  CHECK(troupe::detail::weight_of("chat-1", 7) == 0x91c2970f7b62f720u);
  std::map<std::uint32_t, int> shards;
  for (int i = 0; i < 6400; ++i)
    ++shards[troupe::detail::shard_of("room " + std::to_string(i), 64)];
  CHECK(shards.size() == 64);
  for (const auto& [shard, keys] : shards)
    CHECK(keys > 50);
}
