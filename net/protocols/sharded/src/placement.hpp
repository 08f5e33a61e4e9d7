#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

/// Where keys belong: the same on all nodes, in all builds.
namespace troupe::detail {

[[nodiscard]] std::uint64_t hash_of(std::string_view text) noexcept;

[[nodiscard]] std::uint32_t shard_of(std::string_view key, std::uint32_t shards) noexcept;

/// Returns how much a node is for a shard: the one with the most has it.
[[nodiscard]] std::uint64_t weight_of(std::string_view node, std::uint32_t shard) noexcept;

/// Tells whether `a` comes before `b` as the owner of a shard.
[[nodiscard]] bool comes_before(std::string_view a, std::string_view b,
                                std::uint32_t shard) noexcept;

/// Returns the owner among these nodes; empty if there are none.
[[nodiscard]] std::string owner_of(std::uint32_t shard, const std::vector<std::string>& nodes);

} // namespace troupe::detail
