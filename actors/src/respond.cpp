#include <troupe/actors/respond.hpp>

#include <mutex>

#include <caf/actor_control_block.hpp>

namespace troupe {

/// Shared by the `owed_response` and the actor that owes it, which may end in another thread.
class detail::debt_to_asker final : public debt {
public:
  explicit debt_to_asker(const caf::response_promise& p)
    : asker_(p.source()), id_(p.id().response_id()) {}

  bool open() const noexcept {
    const std::lock_guard hold{mutex_};
    return asker_ != nullptr;
  }

  // Straight into the asker's mailbox: CAF's deliver() would read the answering actor's state,
  // which only that actor's thread may.
  void send(caf::message content) {
    if (const auto asker = take())
      asker->enqueue(nullptr, id_, std::move(content), nullptr);
  }

  void fail(const failure& why) {
    if (open())
      send(caf::make_message(why.to_caf_error()));
  }

  void debtor_ended() override { fail(errc::actor_down); }

private:
  caf::strong_actor_ptr take() {
    const std::lock_guard hold{mutex_};
    return std::exchange(asker_, nullptr);
  }

  mutable std::mutex mutex_;
  caf::strong_actor_ptr asker_; // until it has its answer
  const caf::message_id id_;
};

owed_response::owed_response(const caf::response_promise& p) {
  if (p.pending()) // else nobody asked
    debt_ = std::make_shared<detail::debt_to_asker>(p);
}

owed_response::owed_response(basic_actor& self) : owed_response(self.make_response_promise()) {
  if (debt_)
    self.owe(debt_);
}

owed_response& owed_response::operator=(owed_response&& other) noexcept {
  std::swap(debt_, other.debt_);
  return *this;
}

owed_response::~owed_response() {
  if (debt_)
    debt_->fail(errc::broken_promise);
}

owed_response::operator bool() const noexcept {
  return debt_ && debt_->open();
}

void owed_response::fail(const failure& why) {
  if (debt_)
    debt_->fail(why);
}

void owed_response::send(caf::message content) {
  if (debt_)
    debt_->send(std::move(content));
}

} // namespace troupe
