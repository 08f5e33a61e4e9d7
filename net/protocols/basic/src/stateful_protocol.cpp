#include <troupe/basic/stateful_protocol.hpp>

#include <stdexcept>
#include <utility>

#include <troupe/runtime/detail/uncaught.hpp>

namespace troupe {

namespace {

// More states than these that want nothing, one after the other, would go on for ever.
constexpr std::size_t max_without_input = 1000;

} // namespace

bool stateful_protocol::stopped() const noexcept {
  return !connected() || getf(is_shutting_down_flag) || transport().disconnecting();
}

void stateful_protocol::pause_states() {
  paused_ = true;
  transport().pause_producing();
}

void stateful_protocol::resume_states() {
  if (!std::exchange(paused_, false) || !connected())
    return;
  transport().resume_producing();
  if (!delivering_)
    enter([this] { deliver({}); });
}

void stateful_protocol::data_received(bytes_view data) {
  if (delivering_ || paused_)
    kept_ += as_text(data);
  else
    deliver(as_text(data));
}

// Calls the state with what it wants; returns false if there is no next one.
bool stateful_protocol::enter_state(std::string_view bytes) {
  without_input_ = bytes.empty() ? without_input_ + 1 : 0;
  if (without_input_ > max_without_input)
    throw std::logic_error("a stateful_protocol goes from state to state that want no bytes");
  state_ = detail::in_callback("a state", [&] { return (this->*state_.function_)(bytes); });
  if (state_.bytes_ <= max_length_)
    return true;
  if (!stopped())
    lose_connection(failure{errc::message_too_long, "a part of " + std::to_string(state_.bytes_)
                                                      + " bytes; the maximum is "
                                                      + std::to_string(max_length_)});
  return false;
}

void stateful_protocol::deliver(std::string_view data) {
  struct guard {
    stateful_protocol& self;
    ~guard() { self.delivering_ = false; }
  };
  delivering_ = true;
  const guard done{*this};

  std::string own; // where the bytes are that are not the caller's
  const auto take_kept = [&] {
    own = std::exchange(kept_, {});
    data = std::string_view{own}.substr(std::exchange(kept_begin_, 0));
  };
  if (!kept_.empty()) {
    if (kept_begin_ > kept_.size() / 2) // so that what is erased pays for what is moved
      kept_.erase(0, std::exchange(kept_begin_, 0));
    kept_ += data;
    take_kept();
  }
  for (;;) {
    if (stopped()) {
      kept_ = {};
      return;
    }
    if (!paused_ && data.size() >= state_.bytes_) {
      const auto bytes = data.substr(0, state_.bytes_);
      data.remove_prefix(bytes.size());
      if (enter_state(bytes))
        continue;
      kept_ = {};
      return;
    }
    // The rest is kept, without a copy of what lies in our memory, and behind it what states added.
    const auto added = std::exchange(kept_, {});
    if (own.empty()) {
      kept_ = data;
    } else if (!data.empty()) {
      kept_begin_ = static_cast<std::size_t>(data.data() - own.data());
      kept_ = std::move(own);
    }
    if (added.empty())
      return;
    kept_ += added;
    if (paused_)
      return;
    take_kept();
  }
}

} // namespace troupe
