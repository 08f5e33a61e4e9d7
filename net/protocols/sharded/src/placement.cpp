#include "placement.hpp"

#include <utility>

namespace troupe::detail {

namespace {

std::uint64_t stir(std::uint64_t n) noexcept { // splitmix64
  n += 0x9e3779b97f4a7c15;
  n = (n ^ (n >> 30)) * 0xbf58476d1ce4e5b9;
  n = (n ^ (n >> 27)) * 0x94d049bb133111eb;
  return n ^ (n >> 31);
}

} // namespace

std::uint64_t hash_of(std::string_view text) noexcept {
  std::uint64_t hash = 14695981039346656037u; // FNV-1a
  for (const char c : text)
    hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  return stir(hash);
}

std::uint32_t shard_of(std::string_view key, std::uint32_t shards) noexcept {
  return static_cast<std::uint32_t>(hash_of(key) % shards);
}

std::uint64_t weight_of(std::string_view node, std::uint32_t shard) noexcept {
  return stir(hash_of(node) ^ stir(shard));
}

bool comes_before(std::string_view a, std::string_view b, std::uint32_t shard) noexcept {
  return std::pair{weight_of(a, shard), a} > std::pair{weight_of(b, shard), b};
}

std::string owner_of(std::uint32_t shard, const std::vector<std::string>& nodes) {
  const std::string* first = nullptr;
  for (const auto& node : nodes)
    if (first == nullptr || comes_before(node, *first, shard))
      first = &node;
  return first == nullptr ? std::string{} : *first;
}

} // namespace troupe::detail
