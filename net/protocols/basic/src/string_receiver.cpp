#include <troupe/basic/string_receiver.hpp>

#include <stdexcept>
#include <utility>

#include <troupe/runtime/detail/uncaught.hpp>

namespace troupe {

// Input that came and is not delivered.
struct string_receiver::kept_input {
  std::string text;
  std::size_t begin = 0; // in front of it everything is delivered
};

string_receiver::string_receiver(caf::actor_config& cfg) : super(cfg) {}

string_receiver::~string_receiver() = default;

std::size_t string_receiver::max_sent() const noexcept {
  return max_sent_ == as_received ? max_length() : max_sent_;
}

void string_receiver::check_sent(std::size_t size) const {
  if (size > max_sent())
    throw std::length_error("send_string: " + std::to_string(size)
                            + " bytes are too long; the maximum is " + std::to_string(max_sent()));
}

void string_receiver::pause_strings() {
  paused_ = true;
  transport().pause_producing();
}

void string_receiver::resume_strings() {
  if (!std::exchange(paused_, false) || !connected())
    return;
  transport().resume_producing();
  if (!delivering_ && kept_)
    enter([this] { deliver({}); });
}

void string_receiver::data_received(bytes_view data) {
  if (delivering_ || paused_)
    return keep(as_text(data));
  deliver(as_text(data));
}

bool string_receiver::stopped() const noexcept {
  return failed_ || !connected() || getf(is_shutting_down_flag) || transport().disconnecting();
}

void string_receiver::keep(std::string_view data) {
  if (data.empty() || failed_)
    return;
  if (!kept_)
    kept_ = std::make_unique<kept_input>();
  kept_->text += data;
}

void string_receiver::deliver(std::string_view data) {
  struct guard {
    string_receiver& self;
    ~guard() { self.delivering_ = false; }
  };
  delivering_ = true;
  const guard done{*this};

  kept_input own; // where the bytes are that are not the caller's
  if (kept_) {
    kept_->text += data;
    own = std::move(*std::exchange(kept_, nullptr));
    data = std::string_view{own.text}.substr(own.begin);
  }
  for (;;) {
    if (stopped())
      return void(kept_.reset());
    if (paused_) {
      if (data.empty())
        return;
      // What lies in our memory already is not copied: one who pauses at every string must not pay
      // for all the others each time.
      const auto added = std::exchange(kept_, std::make_unique<kept_input>());
      if (!own.text.empty()) {
        kept_->begin = static_cast<std::size_t>(data.data() - own.text.data());
        kept_->text = std::move(own.text);
      } else {
        kept_->text = data;
      }
      if (added)
        kept_->text += std::string_view{added->text}.substr(added->begin);
      return;
    }
    std::string_view string;
    switch (find_string(data, string)) {
    case found::string:
      detail::in_callback("string_received", [&] { string_received(string); });
      break;
    case found::failure:
      failed_ = true;
      kept_.reset();
      return refuse_input();
    case found::nothing:
      if (!kept_)
        return;
      own = std::move(*std::exchange(kept_, nullptr)); // which callbacks added
      data = std::string_view{own.text}.substr(own.begin);
    }
  }
}

} // namespace troupe
