#include <troupe/actors/respond.hpp>

#include <caf/actor_control_block.hpp>

namespace troupe {

owed_response::owed_response(const caf::response_promise& p) {
  if (!p.pending())
    return; // nobody asked
  asker_ = p.source();
  id_ = p.id().response_id();
}

owed_response& owed_response::operator=(owed_response&& other) noexcept {
  std::swap(asker_, other.asker_);
  std::swap(id_, other.id_);
  return *this;
}

owed_response::~owed_response() {
  if (asker_)
    fail(errc::broken_promise);
}

void owed_response::fail(const failure& why) {
  send(caf::make_message(why.to_caf_error()));
}

// Straight into the asker's mailbox: CAF's deliver() would read the answering actor's state, which
// only that actor's thread may.
void owed_response::send(caf::message content) {
  if (const auto asker = std::exchange(asker_, nullptr))
    asker->enqueue(nullptr, id_, std::move(content), nullptr);
}

} // namespace troupe
