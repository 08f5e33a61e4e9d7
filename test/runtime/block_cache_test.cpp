// Blocks of memory that threads keep, and hand to one another.

#include <troupe/runtime/detail/block_cache.hpp>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <set>
#include <thread>
#include <vector>

#include "support/catch.hpp"

using troupe::detail::blocks_in_a_batch;
using troupe::detail::count_free_blocks;
using troupe::detail::give_block;
using troupe::detail::take_block;

namespace {

// Sizes that nothing else of these tests takes, so that what other tests left in the lists is not in the way.
constexpr std::size_t odd_size = 2'005;
constexpr std::size_t other_size = 2'010;
constexpr std::size_t third_size = 1'990;

/// Tells whether blocks are kept at all: under the address sanitizer they are not.
bool keeps_blocks() {
  give_block(take_block(40), 40);
  return count_free_blocks(40).here > 0;
}

std::vector<void*> take(std::size_t count, std::size_t size) {
  std::vector<void*> blocks(count);
  for (auto& block : blocks)
    std::memset(block = take_block(size), 0x5a, size);
  return blocks;
}

void give(const std::vector<void*>& blocks, std::size_t size) {
  for (auto* const block : blocks)
    give_block(block, size);
}

} // namespace

TEST_CASE("blocks are apart, aligned, and as large as was asked for") {
  std::vector<std::size_t> sizes{2'039, 2'040, 2'041, 3'000, 70'000};
  for (std::size_t size = 1; size < 1'900; size += size < 64 ? 1 : 61)
    sizes.push_back(size);
  for (const auto size : sizes) {
    const auto blocks = take(3, size);
    for (auto* const block : blocks)
      CHECK(reinterpret_cast<std::uintptr_t>(block) % alignof(std::max_align_t) == 0);
    auto sorted = blocks;
    std::sort(sorted.begin(), sorted.end());
    for (std::size_t i = 1; i < sorted.size(); ++i)
      CHECK(static_cast<char*>(sorted[i]) - static_cast<char*>(sorted[i - 1])
            >= static_cast<std::ptrdiff_t>(size));
    give(blocks, size);
  }
}

TEST_CASE("the block that was given back last is taken next") {
  if (!keeps_blocks())
    return;
  const auto blocks = take(2, 200);
  give(blocks, 200);
  CHECK(take_block(200) == blocks[1]);
  CHECK(take_block(200) == blocks[0]);
  give(blocks, 200);
}

TEST_CASE(
  "a thread keeps two batches of free blocks, and all threads a bounded number beside them") {
  if (!keeps_blocks())
    return;
  const auto batch = blocks_in_a_batch(odd_size);
  REQUIRE(batch > 0);
  give(take(2 * batch, odd_size), odd_size);
  CHECK(count_free_blocks(odd_size).here == 2 * batch);
  CHECK(count_free_blocks(odd_size).shared == 0);
  const auto many = 4'000 / batch * batch; // some 7 MB
  give(take(many, odd_size), odd_size);
  CHECK(count_free_blocks(odd_size).here <= 2 * batch);
  CHECK(count_free_blocks(odd_size).shared > 0);
  CHECK(count_free_blocks(odd_size).shared * odd_size <= 1'024 * 1'024);
  CHECK(blocks_in_a_batch(4'096) == 0);
}

TEST_CASE("what one thread gives back, another takes, and what an ended thread had is not lost") {
  if (!keeps_blocks())
    return;
  const auto batch = blocks_in_a_batch(other_size);
  std::vector<void*> blocks;
  std::thread{[&] {
    blocks = take(5 * batch, other_size);
  }}.join();
  const std::set<void*> known(blocks.begin(), blocks.end());
  std::thread{[&] {
    give(blocks, other_size);
  }}.join();
  // Four full batches at least; of the last one, the thread's end gave back what was not full.
  const auto shared = count_free_blocks(other_size).shared;
  CHECK(shared >= 3 * batch);
  const auto taken = take(shared, other_size);
  for (auto* const block : taken)
    CHECK(known.contains(block));
  CHECK(count_free_blocks(other_size).shared == 0);
  give(taken, other_size);
}

TEST_CASE("threads that give and take at once never have the same block") {
  std::vector<std::thread> threads;
  std::vector<int> spoiled(4);
  for (std::size_t me = 0; me < spoiled.size(); ++me)
    threads.emplace_back([me, &spoiled] {
      const auto mark = static_cast<unsigned char>(me + 1);
      std::vector<void*> mine;
      for (int round = 0; round < 60; ++round) {
        const auto count = blocks_in_a_batch(third_size) * (round % 4) + 7;
        for (std::size_t i = 0; i < count; ++i)
          mine.push_back(std::memset(take_block(third_size), mark, third_size));
        for (auto* const block : mine) {
          const auto* const bytes = static_cast<unsigned char*>(block);
          spoiled[me] += static_cast<int>(bytes[0] != mark || bytes[third_size - 1] != mark);
          give_block(block, third_size);
        }
        mine.clear();
      }
    });
  for (auto& thread : threads)
    thread.join();
  CHECK(spoiled == std::vector<int>(4));
}

TEST_CASE("a thread that is ending may still give and take") {
  struct late {
    ~late() { // after the lists of its thread, which are made later
      give_block(take_block(100), 100);
      give_block(block, 100);
    }
    void* block = nullptr;
  };
  void* given = nullptr;
  std::thread{[&] {
    static thread_local late last;
    last.block = take_block(100);
    given = last.block;
  }}.join();
  CHECK(given != nullptr);
}
