#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace troupe {

/// Counters and gauges by name, as `prometheus_text` tells them: those of Troupe's components and those
/// of the user.
///
/// ```cpp
/// auto joined = rt.metrics().add_counter("chat_joined_total", "Users who joined.");
/// ...
/// joined.add();
/// ```
///
/// What differs in its labels only is one metric with several values, and has one help text:
///
/// ```cpp
/// rt.metrics().add_counter("chat_messages_total", "Messages by room.", {{"room", name}}).add();
/// ```
///
/// A metric has at most `most_values` values; the labels of further ones become "other", so that a
/// label that comes from outside fills no memory.
///
/// Thread: any.
class metrics {
public:
  static constexpr std::size_t most_values = 1000;

  using labels = std::vector<std::pair<std::string, std::string>>;

  /// A number that only grows. Copies are the same number; one that was not returned by `metrics` counts
  /// nothing. It may outlive the runtime. Thread: any.
  class counter {
  public:
    counter() noexcept = default;
    void add(std::uint64_t n = 1) const noexcept {
      if (count_ != nullptr)
        count_->fetch_add(n, std::memory_order_relaxed);
    }
    [[nodiscard]] std::uint64_t value() const noexcept {
      return count_ != nullptr ? count_->load(std::memory_order_relaxed) : 0;
    }

  private:
    friend class metrics;
    std::shared_ptr<std::atomic<std::uint64_t>> count_;
  };

  /// A number that grows and shrinks; else as a counter. Thread: any.
  class gauge {
  public:
    gauge() noexcept = default;
    void set(double to) const noexcept {
      if (number_ != nullptr)
        number_->store(to, std::memory_order_relaxed);
    }
    void add(double n = 1) const noexcept {
      if (number_ != nullptr)
        number_->fetch_add(n, std::memory_order_relaxed);
    }
    void sub(double n = 1) const noexcept { add(-n); }
    [[nodiscard]] double value() const noexcept {
      return number_ != nullptr ? number_->load(std::memory_order_relaxed) : 0;
    }

  private:
    friend class metrics;
    std::shared_ptr<std::atomic<double>> number_;
  };

  metrics();
  ~metrics();
  metrics(const metrics&) = delete;
  metrics& operator=(const metrics&) = delete;

  /// Returns the counter of that name with these labels. It is made, with zero, at the first call; each
  /// call returns the same one, and the first help text stays.
  ///
  /// \param name  ends in `_total`, by custom
  /// \throws std::invalid_argument if the name or a label's is not one of Prometheus, or a gauge has it
  counter add_counter(std::string_view name, std::string_view help, const labels& with = {});

  /// Likewise a gauge.
  ///
  /// \throws std::invalid_argument if the name or a label's is not one of Prometheus, or a counter has it
  gauge add_gauge(std::string_view name, std::string_view help, const labels& with = {});

  /// Returns all of them in Prometheus' text format 0.0.4, in the order in which they were made.
  [[nodiscard]] std::string text() const;

private:
  struct registry;
  const std::unique_ptr<registry> registry_;
};

} // namespace troupe
