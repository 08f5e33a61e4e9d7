#include "receiver_watches.hpp"

#include <atomic>
#include <utility>
#include <vector>

#include <asio/execution_context.hpp>
#include <caf/attachable.hpp>

#include <troupe/runtime/loop_scheduler.hpp>

namespace troupe::detail {

namespace {

/// Calls `receiver_ended` when the actor that it is attached to ends.
class receiver_watch final : public caf::attachable {
public:
  static constexpr std::size_t token_type = 0x7472'6f75; // tells ours from CAF's own

  receiver_watch(std::weak_ptr<receiver_watches> watches, const caf::actor_control_block* receiver)
    : watches_(std::move(watches)), receiver_(receiver) {}

  void actor_exited(const caf::error&, caf::execution_unit*) override {
    if (const auto watches = watches_.lock())
      watches->receiver_ended(receiver_);
  }

  bool matches(const token& what) override {
    return what.subtype == token_type && what.ptr == watches_.lock().get();
  }

private:
  std::weak_ptr<receiver_watches> watches_;
  const caf::actor_control_block* receiver_;
};

/// Keeps a runtime's watches at its first loop.
class watches_service final : public asio::execution_context::service {
public:
  using key_type = watches_service;
  static inline asio::execution_context::id id;
  explicit watches_service(asio::execution_context& context)
    : service(context), watches(std::make_shared<receiver_watches>()) {}
  const std::shared_ptr<receiver_watches> watches;

private:
  void shutdown() override {}
};

} // namespace

const std::shared_ptr<receiver_watches>& receiver_watches::of(caf::actor_system& sys) {
  auto& scheduler = loop_scheduler::of(sys);
  auto& known = scheduler.receiver_watches();
  const auto* watches = known.load(std::memory_order_acquire);
  if (watches == nullptr) { // the service is looked up with a lock
    watches = &asio::use_service<watches_service>(scheduler.loop(0).io()).watches;
    known.store(watches, std::memory_order_release);
  }
  return *watches;
}

void receiver_watches::add(question_base& q) {
  auto& part = shard_of(q.receiver_);
  bool first_one;
  {
    const std::lock_guard hold{part.mutex};
    const auto [found, inserted] = part.all.try_emplace(q.receiver_);
    auto& entry = found->second;
    first_one = inserted; // else it is watched
    if (first_one)
      entry.receiver = caf::weak_actor_ptr{q.receiver_};
    q.first_ = &entry.first;
    q.next_ = entry.first;
    if (q.next_ != nullptr)
      q.next_->previous_ = &q;
    entry.first = &q;
  }
  // Without the lock: the watch of an actor that has ended is called inside attach().
  if (first_one)
    q.receiver_->get()->attach(
      caf::attachable_ptr{new receiver_watch{weak_from_this(), q.receiver_}});
}

void receiver_watches::remove(question_base& q) noexcept {
  auto& part = shard_of(q.receiver_);
  caf::strong_actor_ptr forgotten; // let go of behind the lock, as its end may come here
  const std::lock_guard hold{part.mutex};
  if (q.first_ == nullptr)
    return; // the receiver has ended, and the questions to it were taken off the list
  if (q.next_ != nullptr)
    q.next_->previous_ = q.previous_;
  (q.previous_ != nullptr ? q.previous_->next_ : *q.first_) = q.next_;
  const bool last_one = *std::exchange(q.first_, nullptr) == nullptr;
  q.next_ = q.previous_ = nullptr;
  if (!last_one || part.idle == q.receiver_)
    return;
  const auto idle = part.all.find(std::exchange(part.idle, q.receiver_)); // may be asked again soon
  if (idle == part.all.end() || idle->second.first != nullptr)
    return;
  forgotten = idle->second.receiver.lock();
  part.all.erase(idle);
  // With the lock: who is asked again in the meantime must not lose the watch that it gets then.
  if (forgotten)
    forgotten->get()->detach({receiver_watch::token_type, this});
}

void receiver_watches::receiver_ended(const caf::actor_control_block* receiver) {
  std::vector<std::pair<caf::strong_actor_ptr, std::weak_ptr<question_base>>> failed;
  {
    auto& part = shard_of(receiver);
    const std::lock_guard hold{part.mutex};
    if (part.idle == receiver)
      part.idle = nullptr;
    const auto found = part.all.find(receiver);
    if (found == part.all.end())
      return;
    for (auto* q = found->second.first; q != nullptr;) {
      failed.emplace_back(caf::weak_actor_ptr{q->asker_}.lock(), q->weak_from_this());
      q->first_ = nullptr;
      q->previous_ = nullptr;
      q = std::exchange(q->next_, nullptr);
    }
    part.all.erase(found);
  }
  // By message, behind an answer that the receiver sent before it ended.
  for (auto& [asker, question] : failed)
    if (asker)
      basic_actor::run_as(asker, [question = std::move(question)] {
        if (const auto q = question.lock())
          q->fail(errc::actor_down);
      });
}

} // namespace troupe::detail
