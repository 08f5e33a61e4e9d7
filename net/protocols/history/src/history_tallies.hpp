#pragma once

#include <atomic>
#include <cstdint>

#include <troupe/history/kept_topics.hpp>

namespace troupe::detail {

/// A number that several loops add to.
class history_tally {
public:
  void add(std::uint64_t n = 1) noexcept { count_.fetch_add(n, std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t get() const noexcept {
    return count_.load(std::memory_order_relaxed);
  }

private:
  std::atomic<std::uint64_t> count_{0};
};

/// What is counted. Thread: any.
struct history_tallies {
  history_tally appends, appended, failed, delivered, replayed, resumes, incomplete, store_reads,
    gaps, gaps_unfilled;

  [[nodiscard]] kept_topics_counters counters() const noexcept {
    return {appends.get(),  appended.get(),     failed.get(),     delivered.get(),
            replayed.get(), resumes.get(),      incomplete.get(), store_reads.get(),
            gaps.get(),     gaps_unfilled.get()};
  }
};

} // namespace troupe::detail
