#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include <troupe/history/history_store.hpp>

namespace troupe {

/// How much a store in memory keeps.
struct memory_history_options {
  std::size_t per_topic = 1000; ///< messages; the oldest go
  std::size_t max_bytes =
    256 * 1024 * 1024; ///< of all topics; beyond, nothing is kept (`history_errc::store_full`)
};

/// A store inside the process: what it has is gone with it. For tests, and for what may be forgotten.
///
/// Kept topics that are made with one anew, as after a restart within the process, find what it has.
class memory_history final : public history_store {
public:
  explicit memory_history(memory_history_options options = {});
  ~memory_history() override;

  [[nodiscard]] std::unique_ptr<history_link> attach(runtime& rt, history_events& events) override;
  [[nodiscard]] std::string name() const override { return "memory"; }

private:
  struct data;
  class link;
  const std::shared_ptr<data> data_;
};

} // namespace troupe
