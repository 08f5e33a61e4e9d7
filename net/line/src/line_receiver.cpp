#include <array>
#include <cstring>
#include <stdexcept>
#include <utility>

#include <spdlog/logger.h>

#include <troupe/net/detail/find_delimiter.hpp>
#include <troupe/net/line_receiver.hpp>
#include <troupe/runtime/detail/uncaught.hpp>
#include <troupe/runtime/loop_scheduler.hpp>

namespace troupe {

// Input that waits: the unfinished line, or while paused whatever came.
struct line_receiver::kept_input {
  std::string text;
  std::size_t begin = 0;   // in front of it everything is delivered
  bool unfinished = false; // no delimiter is in it: it need not be searched again

  std::string_view view() const noexcept { return std::string_view{text}.substr(begin); }
};

// Input that is being delivered. It is never changed while a callback looks at it: what callbacks
// add is kept, and joins it when they have returned.
struct line_receiver::delivery {
  std::string_view rest;   // what is not delivered
  std::string owned;       // where the bytes are that are not the caller's
  bool rest_owned = false; // whether `rest` is there
  std::string_view handed; // what the callback that runs got in whole, and may give back
};

line_receiver::line_receiver(caf::actor_config& cfg) : super(cfg) {}

line_receiver::~line_receiver() = default;

void line_receiver::raw_data_received(bytes_view) {
  loop().scheduler().logger().error("[{}] raw_data_received is not overridden", log_prefix());
  quit(make_error(errc::not_supported, "raw_data_received is not overridden"));
}

void line_receiver::line_length_exceeded(bytes_view) {
  lose_connection(errc::line_too_long);
}

void line_receiver::send_line(std::string_view line) {
  const auto end = delimiter();
  std::array<char, 512> whole; // a copy into this costs less than a second piece of output
  if (line.size() + end.size() > whole.size())
    return transport().write_sequence({line, end});
  std::memcpy(whole.data(), line.data(), line.size());
  std::memcpy(whole.data() + line.size(), end.data(), end.size());
  transport().write(std::string_view{whole.data(), line.size() + end.size()});
}

void line_receiver::set_delimiter(std::string_view delimiter) {
  if (delimiter.empty())
    throw std::invalid_argument("set_delimiter: the delimiter is empty");
  delimiter_ = std::make_unique<const std::string>(delimiter);
  any_end_ = false;
  if (kept_)
    kept_->unfinished = false;
}

void line_receiver::set_delimiter(any_line_end_t) {
  delimiter_.reset();
  any_end_ = true;
  if (kept_)
    kept_->unfinished = false;
}

// Finds what ends a line: with any_line_end that is LF, and the CR in front of it is taken off later.
std::string_view line_receiver::received_end() const noexcept {
  return any_end_ ? std::string_view{"\n"} : delimiter();
}

// Returns the size of a line, of which `size` bytes of `tail` and `data` are in front of its end.
std::size_t line_receiver::without_cr(std::string_view tail, std::string_view data,
                                      std::size_t size) const noexcept {
  if (!any_end_ || size == 0)
    return size;
  const auto last = size - 1;
  return (last < tail.size() ? tail[last] : data[last - tail.size()]) == '\r' ? last : size;
}

void line_receiver::skip_line(bytes_view data) {
  skipping_ = true;
  set_line_mode(data);
}

void line_receiver::set_line_mode(bytes_view extra) {
  line_mode_ = true;
  const auto text = as_text(extra);
  if (text.empty())
    return;
  if (delivery_ == nullptr)
    return data_received(extra);
  // The end of what the callback was given is taken back where it lies; copying it would make
  // frequent changes of mode cost the square of the input.
  auto& d = *delivery_;
  const auto skipped = d.handed.size() - std::min(d.handed.size(), text.size());
  if (d.rest.empty() && !d.handed.empty() && text.data() == d.handed.data() + skipped
      && text.size() <= d.handed.size())
    d.rest = text;
  else
    keep(text);
}

std::string line_receiver::clear_line_buffer() {
  std::string all;
  if (delivery_ != nullptr)
    all = std::exchange(delivery_->rest, {});
  if (const auto kept = std::move(kept_))
    all += kept->view();
  return all;
}

void line_receiver::pause_lines() {
  paused_ = true;
  transport().pause_producing();
}

void line_receiver::resume_lines() {
  if (!std::exchange(paused_, false) || !connected())
    return;
  transport().resume_producing();
  deliver_kept();
}

void line_receiver::hold_back(bool stopped) {
  super::hold_back(stopped);
  if (!waits() && connected())
    deliver_kept();
}

void line_receiver::deliver_kept() {
  if (delivery_ == nullptr && kept_)
    enter([this] { deliver({}); });
}

void line_receiver::data_received(bytes_view data) {
  if (delivery_ != nullptr || waits())
    return keep(as_text(data));
  deliver(as_text(data));
}

bool line_receiver::stopped() const noexcept {
  return !connected() || getf(is_shutting_down_flag) || transport().disconnecting();
}

void line_receiver::keep(std::string_view data) {
  if (data.empty())
    return;
  if (!kept_)
    kept_ = std::make_unique<kept_input>();
  auto& k = *kept_;
  if (k.begin > k.text.size() / 2) { // so that what is erased pays for what is moved
    k.text.erase(0, k.begin);
    k.begin = 0;
  }
  k.text += data;
  k.unfinished = false;
}

// -- delivery -----------------------------------------------------------------------------------

void line_receiver::deliver(std::string_view data) {
  delivery d{data, {}, false, {}};
  struct guard {
    line_receiver& self;
    ~guard() { self.delivery_ = nullptr; }
  };
  delivery_ = &d;
  const guard done{*this};

  if (kept_ && kept_->unfinished && line_mode_ && !skipping_) {
    if (!finish_line(d))
      return;
  } else if (kept_) {
    keep(std::exchange(d.rest, {})); // behind what is there, which is taken up below
  }
  for (;;) {
    if (stopped())
      return void(kept_.reset());
    if (waits())
      return keep_rest(d);
    if (!d.rest.empty() && deliver_next(d))
      continue;
    if (!kept_)
      break;
    // What was kept before, or was added by callbacks, which comes behind the rest.
    auto more = std::move(kept_);
    if (d.rest.empty()) {
      d.owned = std::move(more->text);
      d.rest = std::string_view{d.owned}.substr(more->begin);
    } else {
      std::string joined{d.rest};
      joined += more->view();
      d.owned = std::move(joined);
      d.rest = d.owned;
    }
    d.rest_owned = true;
  }
  if (!d.rest.empty()) {
    kept_ = std::make_unique<kept_input>();
    kept_->text = d.rest;
    kept_->unfinished = true;
  }
}

void line_receiver::hand_line(std::string_view line) {
  detail::in_callback("line_received", [&] { line_received(line); });
}

// Delivers the line that was unfinished and that `d.rest` goes on with. Returns false if it still
// is unfinished, and kept.
bool line_receiver::finish_line(delivery& d) {
  const auto tail = kept_->view();
  const auto found = detail::find_delimiter(tail, d.rest, received_end());
  const auto known = found ? without_cr(tail, d.rest, found->before) : tail.size() + d.rest.size();
  // What is behind the longest line allowed may be the beginning of its end.
  const bool too_long = found ? known > max_length() : known >= max_length() + delimiter().size();
  if (!found && !too_long) {
    kept_->text += d.rest;
    return false;
  }
  auto line = std::move(kept_);
  const auto taken = too_long ? d.rest.size() : found->used;
  line->text += d.rest.substr(0, taken);
  d.owned = std::move(line->text);
  if (too_long) {
    d.rest = std::string_view{d.owned}.substr(line->begin);
    d.rest_owned = true;
    hand_all(d);
  } else {
    d.rest.remove_prefix(taken);
    hand_line(std::string_view{d.owned}.substr(line->begin, known));
  }
  return true;
}

// Delivers one line, or all of the rest; returns false if it is an unfinished line.
bool line_receiver::deliver_next(delivery& d) {
  if (!line_mode_) {
    hand_all(d);
    return true;
  }
  const auto end = received_end();
  const auto at = detail::find_delimiter(d.rest, end);
  if (skipping_) {
    skipping_ = at == std::string_view::npos;
    // The end of what is forgotten may be the beginning of the delimiter.
    d.rest.remove_prefix(skipping_ ? d.rest.size() - std::min(d.rest.size(), end.size() - 1)
                                   : at + end.size());
    return !skipping_;
  }
  if (at == std::string_view::npos) {
    if (d.rest.size() < max_length() + delimiter().size())
      return false;
    hand_all(d);
    return true;
  }
  const auto size = without_cr({}, d.rest, at);
  if (size > max_length()) {
    hand_all(d);
  } else {
    const auto line = d.rest.substr(0, size);
    d.rest.remove_prefix(at + end.size());
    hand_line(line);
  }
  return true;
}

// Gives all of the rest to the callback for raw data, or in line mode to that for long lines.
void line_receiver::hand_all(delivery& d) {
  d.handed = std::exchange(d.rest, {});
  if (line_mode_)
    detail::in_callback("line_length_exceeded", [&] { line_length_exceeded(as_bytes(d.handed)); });
  else
    detail::in_callback("raw_data_received", [&] { raw_data_received(as_bytes(d.handed)); });
  d.handed = {};
}

// Keeps all that is not delivered, without copying what lies in our memory already: one who pauses
// at every line must not pay for all the others each time.
void line_receiver::keep_rest(delivery& d) {
  if (d.rest.empty())
    return;
  auto added = std::move(kept_);
  kept_ = std::make_unique<kept_input>();
  if (d.rest_owned) {
    kept_->begin = static_cast<std::size_t>(d.rest.data() - d.owned.data());
    kept_->text = std::move(d.owned);
  } else {
    kept_->text = d.rest;
  }
  if (added)
    kept_->text += added->view();
}

} // namespace troupe
