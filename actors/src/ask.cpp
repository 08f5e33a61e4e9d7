#include <troupe/actors/ask.hpp>

#include <algorithm>
#include <cstdint>

#include <caf/attachable.hpp>

namespace troupe::detail {

namespace {

/// Tells the asker that the receiver ended. It keeps neither the asker nor the question alive.
class receiver_watch final : public caf::attachable {
public:
  // Tells our watches from CAF's own attachables.
  static constexpr std::size_t token_type = 0x7472'6f75;

  receiver_watch(caf::weak_actor_ptr asker, std::weak_ptr<question_base> asked)
    : asker_(std::move(asker)), key_(asked.lock().get()), asked_(std::move(asked)) {}

  void actor_exited(const caf::error&, caf::execution_unit*) override {
    const auto asker = caf::actor_cast<caf::strong_actor_ptr>(asker_);
    if (!asker || asked_.expired())
      return;
    // By message, behind an answer that the receiver sent before it ended.
    basic_actor::run_as(asker, [asked = asked_] {
      if (const auto q = asked.lock())
        q->fail(failure{errc::actor_down});
    });
  }

  bool matches(const token& what) override {
    return what.subtype == token_type && what.ptr == key_;
  }

private:
  caf::weak_actor_ptr asker_;
  const question_base* key_;
  std::weak_ptr<question_base> asked_;
};

} // namespace

caf::duration caf_timeout(duration timeout) {
  if (timeout == wait_for_ever)
    return caf::infinite;
  const auto ns = static_cast<std::uint64_t>(std::max(timeout, duration::zero()).count());
  constexpr std::pair<caf::time_unit, std::uint64_t> units[] = {
    {caf::time_unit::nanoseconds, 1},
    {caf::time_unit::microseconds, 1'000},
    {caf::time_unit::milliseconds, 1'000'000},
    {caf::time_unit::seconds, 1'000'000'000},
  };
  for (const auto& [unit, size] : units)
    if (const auto count = (ns + size - 1) / size; count <= UINT32_MAX)
      return {unit, static_cast<std::uint32_t>(count)};
  return {caf::time_unit::seconds, UINT32_MAX}; // 136 years
}

void question_base::watch(basic_actor& asker, const caf::strong_actor_ptr& receiver) {
  receiver_ = caf::actor_cast<caf::actor_addr>(receiver);
  receiver->get()->attach(caf::attachable_ptr{
    new receiver_watch{caf::weak_actor_ptr{asker.ctrl()}, weak_from_this()}});
}

// The watch was attached lately, so it stands near the head of the receiver's list.
void question_base::answered() noexcept {
  if (!receiver_)
    return;
  if (const auto receiver = caf::actor_cast<caf::strong_actor_ptr>(receiver_))
    receiver->get()->detach({receiver_watch::token_type, this});
  receiver_ = {};
}

} // namespace troupe::detail
