#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <troupe/leases/lease_store.hpp>
#include <troupe/runtime/failure.hpp>
#include <troupe/runtime/outcome.hpp>
#include <troupe/runtime/time.hpp>

namespace troupe::detail {

/// By what times a lease is kept.
struct lease_times {
  duration ttl;      // without a write for so long, another may take it
  duration margin;   // so long before that it is given up
  duration renew;    // how often it is written
  duration look;     // how often one that another has is read
  duration patience; // with the store
};

/// One attempt to have a lease, and its having it: what is to be asked of the store when, and what the answers mean. A plain
/// class: no store, no clock.
///
/// Whoever has it counts its time from when it sent what the store then wrote; whoever wants it counts from when it heard
/// of the revision that it takes the place of, which is later. So only spans are compared, no dates, and a takeover comes at
/// least `margin` after the end, as long as two steady clocks do not differ by that much within `ttl`.
class lease_claim {
public:
  enum class phase : std::uint8_t { seeking, held, releasing, released, lost };
  enum class want : std::uint8_t { nothing, read, write };

  /// What is to be done now.
  struct step {
    want what = want::nothing;
    std::uint64_t number = 0; // goes back with the answer
    lease_record record{};    // to be written
  };

  /// \param asked  the number of what was asked last for the same name
  lease_claim(std::string who, lease_times times, std::uint64_t asked = 0)
    : who_(std::move(who)), times_(times), number_(asked) {}

  /// Returns what is to be done at `now`; called after each of the others, and at `wake_at()`.
  [[nodiscard]] step next(time_point now);
  [[nodiscard]] time_point wake_at() const;

  void have_read(std::uint64_t number, time_point now, const outcome<lease_record>& got);
  void have_written(std::uint64_t number, time_point now, const outcome<std::uint64_t>& got);

  /// It may have become free: look.
  void freed() noexcept;

  /// Gives it up, or ends the attempt.
  void release(time_point now);

  /// Lets what is held end by itself.
  void abandon() noexcept { phase_ = phase::lost; }

  [[nodiscard]] phase at() const noexcept { return phase_; }
  [[nodiscard]] std::uint64_t token() const noexcept { return token_; }

  /// Returns until when it is held, and from when another may have it.
  [[nodiscard]] time_point held_until() const noexcept { return until_; }
  [[nodiscard]] time_point others_from() const noexcept {
    return saturating_add(until_, times_.margin);
  }

  /// Returns what went wrong last; of one that is lost, why.
  [[nodiscard]] const failure& why() const noexcept { return why_; }

  /// Returns who else has it, as far as is known; empty: nobody.
  [[nodiscard]] std::string holder() const;

private:
  step ask(want what, time_point now, bool keep = true);
  void failed(time_point now, const failure& why);
  void lose(failure why);
  [[nodiscard]] bool takes_answer(std::uint64_t number, time_point now);
  [[nodiscard]] time_point free_at() const;

  const std::string who_;
  const lease_times times_;
  phase phase_ = phase::seeking;
  failure why_;

  // What is on its way to the store.
  std::uint64_t number_ = 0; // of the latest
  want asked_ = want::nothing;
  time_point sent_{};

  bool must_read_ = true;                // before it writes
  std::optional<std::uint64_t> refused_; // the revision with which a write was
  bool may_be_ours_ = false;             // a write may have been done without our knowing
  time_point not_before_ = time_point::min();

  lease_record seen_; // since then, as far as is known
  time_point seen_at_{};
  bool looked_ = false;
  time_point look_at_ = time_point::min();

  std::uint64_t revision_ = 0; // of ours
  std::uint64_t token_ = 0;
  time_point until_{};
  time_point renew_at_{};
  std::uint64_t release_sent_ = 0;
  time_point release_until_{};
};

} // namespace troupe::detail
