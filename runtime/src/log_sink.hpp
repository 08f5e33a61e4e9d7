#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include <spdlog/sinks/base_sink.h>
#include <sys/stat.h>

#include <troupe/runtime/clock.hpp>
#include <troupe/runtime/logger.hpp>

namespace troupe::detail {

/// Returns where a runtime logs that was given no logger: spdlog's default logger if the program has set
/// one of its own, and else one that writes to standard error, with the same level.
[[nodiscard]] std::shared_ptr<spdlog::logger> usual_logger();

/// How many lines may pass: so many at once, so many a second.
class line_budget {
public:
  line_budget(std::size_t burst, std::size_t per_second) noexcept
    : burst_(static_cast<double>(burst)), per_second_(static_cast<double>(per_second)),
      left_(burst_) {}

  [[nodiscard]] bool take(time_point now) noexcept;

private:
  const double burst_;
  const double per_second_;
  double left_;
  time_point seen_{};
};

/// A descriptor that others may have too, written to without ever waiting and without a signal.
///
/// Whether a write waits is a matter of the open file, which is shared with other processes, so pipes and
/// terminals are opened once more for this purpose alone.
class patient_descriptor {
public:
  explicit patient_descriptor(int fd) noexcept : fd_(fd) { look(); }
  ~patient_descriptor() { forget(); }
  patient_descriptor(const patient_descriptor&) = delete;
  patient_descriptor& operator=(const patient_descriptor&) = delete;

  /// Writes as much as it takes now. Returns how much that was, or -1 if it will take nothing more: its
  /// reader has gone, or its disk is full.
  std::ptrdiff_t write(std::string_view bytes) noexcept;

private:
  void look() noexcept; // whether the number refers to something else now
  void forget() noexcept;
  std::ptrdiff_t write_once(std::string_view bytes) noexcept;

  const int fd_;
  int own_ = -1; // the same, opened once more
  struct ::stat is_ {};
  bool known_ = false;
};

/// The sink of `make_logger`.
///
/// Thread: any.
class log_sink final : public spdlog::sinks::base_sink<std::mutex> {
public:
  explicit log_sink(const log_options& options);

  /// Sets what calls `try_again` after the time that it is given, because something waits to be written
  /// or told; null unsets it. It is called with the sink locked.
  /// It belongs to `owner`, who alone can unset it; another one's takes its place.
  void set_reminder(const void* owner, std::function<void(duration)> reminder);

  /// Writes what waits, and tells what was lost, as far as that can be done now.
  void try_again();

private:
  static constexpr duration least = std::chrono::milliseconds(250);
  static constexpr duration most = std::chrono::minutes(1);

  void sink_it_(const spdlog::details::log_msg& message) override;
  void flush_() override;

  [[nodiscard]] time_point now() const noexcept;
  [[nodiscard]] std::string line_of(const spdlog::details::log_msg& message);
  [[nodiscard]] std::string note(std::size_t lost, std::string_view why);
  void put(std::string line);
  void write_waiting();
  void tell_unread();
  void tell_too_many();
  [[nodiscard]] bool owes() const noexcept { return !waiting_.empty() || unread_ + too_many_ != 0; }
  void ask_to_be_reminded();

  const log_options options_;
  patient_descriptor to_;
  line_budget talk_;
  line_budget trouble_;
  std::deque<std::string> waiting_; // lines; of the first one some may be written
  std::size_t waiting_bytes_ = 0;
  std::size_t unread_ = 0;   // lines that did not fit, or found no reader
  std::size_t too_many_ = 0; // lines beyond the rate
  std::function<void(duration)> reminder_;
  const void* reminders_owner_ = nullptr;
  bool reminded_ = false;  // it will be
  duration pause_ = least; // until then; it grows while nothing comes of it
};

} // namespace troupe::detail
