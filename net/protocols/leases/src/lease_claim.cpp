#include "lease_claim.hpp"

#include <algorithm>

#include <troupe/leases/lease_errc.hpp>

namespace troupe::detail {

namespace {

constexpr duration longest_ttl = std::chrono::hours(24); // of others, whatever their record says

} // namespace

time_point lease_claim::free_at() const {
  if (seen_.holder.empty() || seen_.holder == who_)
    return time_point::min();
  return saturating_add(seen_at_, std::clamp(seen_.ttl, duration::zero(), longest_ttl));
}

std::string lease_claim::holder() const {
  return seen_.holder == who_ ? std::string{} : seen_.holder;
}

lease_claim::step lease_claim::ask(want what, time_point now, bool keep) {
  asked_ = what;
  sent_ = now;
  step s;
  s.what = what;
  s.number = ++number_;
  if (what == want::write) {
    s.record.revision = phase_ == phase::seeking ? seen_.revision : revision_;
    if (keep) {
      s.record.holder = who_;
      s.record.ttl = times_.ttl;
    }
    may_be_ours_ = true;
    if (!keep)
      release_sent_ = s.number;
  }
  return s;
}

lease_claim::step lease_claim::next(time_point now) {
  if (phase_ == phase::released || phase_ == phase::lost)
    return {};
  if (phase_ == phase::held && now >= until_) {
    lose({lease_errc::lost, "it was not renewed in time" + (why_ ? ": " + why_.message() : "")});
    return {};
  }
  if (phase_ == phase::releasing && now >= release_until_) {
    phase_ = phase::released; // it ends by itself
    return {};
  }
  if (asked_ != want::nothing) {
    if (now < saturating_add(sent_, times_.patience))
      return {};
    failed(now, failure{errc::timed_out, "the store of leases does not answer"});
    not_before_ = now; // it has waited for long enough
  }
  if (now < not_before_)
    return {};
  if (must_read_)
    return ask(want::read, now);
  switch (phase_) {
  case phase::seeking:
    if (now >= free_at())
      return ask(want::write, now);
    return now >= look_at_ ? ask(want::read, now) : step{};
  case phase::held:
    return now >= renew_at_ ? ask(want::write, now) : step{};
  case phase::releasing:
    return ask(want::write, now, false);
  default:
    return {};
  }
}

time_point lease_claim::wake_at() const {
  auto at = time_point::max();
  if (phase_ == phase::released || phase_ == phase::lost)
    return at;
  if (asked_ != want::nothing)
    at = saturating_add(sent_, times_.patience);
  else if (must_read_ || phase_ == phase::releasing)
    at = not_before_;
  else
    at = std::max(not_before_, phase_ == phase::held ? renew_at_ : std::min(look_at_, free_at()));
  if (phase_ == phase::held)
    at = std::min(at, until_);
  if (phase_ == phase::releasing)
    at = std::min(at, release_until_);
  return at;
}

// An answer that comes too late for a lease that is held is none: that is over.
bool lease_claim::takes_answer(std::uint64_t number, time_point now) {
  if (number != number_ || asked_ == want::nothing)
    return false;
  if (phase_ == phase::held && now >= until_)
    return false;
  asked_ = want::nothing;
  return phase_ != phase::released && phase_ != phase::lost;
}

void lease_claim::failed(time_point now, const failure& why) {
  why_ = why;
  must_read_ = must_read_ || asked_ == want::write;
  asked_ = want::nothing;
  not_before_ = saturating_add(now, times_.look);
}

void lease_claim::lose(failure why) {
  phase_ = phase::lost;
  asked_ = want::nothing;
  why_ = std::move(why);
}

void lease_claim::have_read(std::uint64_t number, time_point now,
                            const outcome<lease_record>& got) {
  const auto was = asked_;
  if (!takes_answer(number, now))
    return;
  if (!got) {
    asked_ = was;
    return failed(now, got.error());
  }
  must_read_ = false;
  const auto& r = *got;
  // Another one's write may be on its way: the store refuses ours, and does not show the other one's yet.
  const bool is_as_before = refused_ == r.revision;
  not_before_ = is_as_before ? saturating_add(now, times_.look) : time_point::min();
  refused_.reset();
  const bool ours = r.holder == who_;
  if (phase_ == phase::seeking) {
    if (!looked_ || r.revision != seen_.revision) {
      seen_ = r;
      seen_at_ = now;
      looked_ = true;
    }
    why_ = {};
    may_be_ours_ = may_be_ours_ || ours;
    look_at_ = saturating_add(now, times_.look);
  } else if (phase_ == phase::held) {
    if (!ours)
      return lose({lease_errc::lost,
                   r.holder.empty() ? std::string{"it was taken away"} : r.holder + " has it"});
    revision_ = r.revision;
    renew_at_ = now;
  } else if (!ours) {
    phase_ = phase::released;
  } else {
    revision_ = r.revision;
  }
}

void lease_claim::have_written(std::uint64_t number, time_point now,
                               const outcome<std::uint64_t>& got) {
  const auto was = asked_;
  if (!takes_answer(number, now))
    return;
  if (!got) {
    if (got.error().check(lease_errc::conflict)) {
      must_read_ = true;
      refused_ = phase_ == phase::seeking ? seen_.revision : revision_;
      return;
    }
    asked_ = was;
    return failed(now, got.error());
  }
  why_ = {};
  const auto until = saturating_add(sent_, times_.ttl - times_.margin);
  switch (phase_) {
  case phase::seeking:
    if (now >= until) { // it took so long that it is over
      must_read_ = true;
      break;
    }
    phase_ = phase::held;
    token_ = *got;
    [[fallthrough]];
  case phase::held:
    revision_ = *got;
    until_ = until;
    renew_at_ = saturating_add(sent_, times_.renew);
    break;
  case phase::releasing:
    // What was on its way may have been a renewal, or the end.
    if (release_sent_ == number)
      phase_ = phase::released;
    else
      revision_ = *got;
    break;
  default:
    break;
  }
}

void lease_claim::freed() noexcept {
  if (phase_ == phase::seeking)
    must_read_ = true;
}

void lease_claim::release(time_point now) {
  if (phase_ != phase::seeking && phase_ != phase::held)
    return;
  if (phase_ == phase::seeking && !may_be_ours_) {
    phase_ = phase::released;
    return;
  }
  must_read_ = must_read_ || phase_ == phase::seeking;
  phase_ = phase::releasing;
  not_before_ = time_point::min();
  release_until_ = saturating_add(now, times_.patience + times_.patience);
}

} // namespace troupe::detail
