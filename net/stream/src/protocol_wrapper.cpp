#include <troupe/net/protocol_wrapper.hpp>

#include <stdexcept>
#include <typeinfo>

#include <troupe/runtime/detail/class_name.hpp>

namespace troupe {

protocol_wrapper::~protocol_wrapper() = default;

protocol_wrapper* protocol_wrapper::outermost() noexcept {
  auto* w = this;
  while (w->next_)
    w = w->next_.get();
  return w;
}

void protocol_wrapper::attach(transport& t) {
  if (next_)
    next_->attach(t);
  inner_ = next_ ? next_.get() : &t;
  connection_made();
}

void protocol_wrapper::data_received(bytes_view data) {
  if (toward_protocol_ != nullptr)
    toward_protocol_->data_received(data);
  else
    protocol_->data_received(data);
}

bool protocol_wrapper::may_move() const noexcept {
  return typeid(*this) == typeid(protocol_wrapper);
}

void protocol_wrapper::reading_held(bool held) {
  if (toward_protocol_ != nullptr)
    toward_protocol_->reading_held(held);
}

void protocol_wrapper::refuse(const char* why) {
  throw std::logic_error(why);
}

void protocol_wrapper::connection_lost(const failure&) {}

std::string protocol_wrapper::log_prefix() const {
  const auto wrapped =
    toward_protocol_ != nullptr ? toward_protocol_->log_prefix() : protocol_->log_prefix();
  return wrapped + " (" + detail::class_name(typeid(*this)) + ')';
}

} // namespace troupe
