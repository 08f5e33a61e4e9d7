#include "node_pool.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <functional>
#include <iterator>
#include <map>
#include <random>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "support/catch.hpp"

using troupe::detail::node_pool;
using troupe::detail::pool_allocator;

TEST_CASE("nodes of a pool are apart, are used again, and go with the last one", "[cluster]") {
  constexpr std::size_t size = 40;
  node_pool pool;
  std::set<char*> all;
  for (int i = 0; i < 1000; ++i) {
    auto* const one = static_cast<char*>(pool.take(size));
    std::memset(one, i, size);
    const auto next = all.insert(one).first;
    REQUIRE((next == all.begin() || *std::prev(next) + size <= one));
    REQUIRE((std::next(next) == all.end() || one + size <= *std::next(next)));
  }
  const auto blocks = pool.blocks();
  CHECK(blocks == 10);
  std::vector<void*> some;
  for (int i = 0; i < 500; ++i) {
    some.push_back(*all.begin());
    pool.give_back(*all.begin(), size);
    all.erase(all.begin());
  }
  for (int i = 0; i < 500; ++i)
    CHECK(all.insert(static_cast<char*>(pool.take(size))).second);
  CHECK(pool.blocks() == blocks);
  for (auto* const one : all)
    pool.give_back(one, size);
  CHECK(pool.blocks() == 0);
  pool.give_back(pool.take(size), size); // and it begins anew
}

TEST_CASE("a pool leaves nodes of another size to malloc", "[cluster]") {
  node_pool pool;
  auto* const first = pool.take(40);
  auto* const other = pool.take(41);
  CHECK(pool.blocks() == 1);
  pool.give_back(first, 40);
  CHECK(pool.blocks() == 0);
  std::memset(other, 1, 41);
  pool.give_back(other, 41);
}

TEST_CASE("containers in a pool hold what they would otherwise", "[cluster]") {
  node_pool of_map, of_table;
  {
    using in_map = std::pair<const std::string, std::string>;
    using in_table = std::pair<const std::uint64_t, std::string>;
    std::map<std::string, std::string, std::less<>, pool_allocator<in_map>> map{
      pool_allocator<in_map>{of_map}};
    std::unordered_map<std::uint64_t, std::string, std::hash<std::uint64_t>, std::equal_to<>,
                       pool_allocator<in_table>>
      table{pool_allocator<in_table>{of_table}};
    std::map<std::string, std::string> wanted_map;
    std::map<std::uint64_t, std::string> wanted_table;
    std::mt19937 random{7};
    for (int i = 0; i < 5000; ++i) {
      const auto n = random() % 500;
      const auto key = std::to_string(n) + std::string(n % 40, 'k');
      if (random() % 3 == 0) {
        map.erase(key);
        wanted_map.erase(key);
        table.erase(n);
        wanted_table.erase(n);
      } else {
        const auto value = std::string(random() % 50, 'v');
        map[key] = wanted_map[key] = value;
        table[n] = wanted_table[n] = value;
      }
    }
    CHECK(std::equal(map.begin(), map.end(), wanted_map.begin(), wanted_map.end()));
    REQUIRE(table.size() == wanted_table.size());
    for (const auto& [n, value] : wanted_table)
      CHECK(table.at(n) == value);
    CHECK(of_map.blocks() > 0);
    CHECK(of_table.blocks() > 0);
  }
  CHECK(of_map.blocks() == 0);
  CHECK(of_table.blocks() == 0);
}
