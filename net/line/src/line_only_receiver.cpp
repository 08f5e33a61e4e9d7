#include <stdexcept>
#include <utility>

#include <troupe/net/detail/find_delimiter.hpp>
#include <troupe/net/line_only_receiver.hpp>
#include <troupe/runtime/detail/uncaught.hpp>

namespace troupe {

line_only_receiver::line_only_receiver(caf::actor_config& cfg) : super(cfg) {}

line_only_receiver::~line_only_receiver() = default;

void line_only_receiver::line_length_exceeded(bytes_view) {
  lose_connection(errc::line_too_long);
}

void line_only_receiver::send_line(std::string_view line) {
  transport().write_sequence({line, delimiter()});
}

void line_only_receiver::set_delimiter(std::string_view delimiter) {
  if (delimiter.empty())
    throw std::invalid_argument("set_delimiter: the delimiter is empty");
  delimiter_ = std::make_unique<const std::string>(delimiter);
  any_end_ = false;
}

void line_only_receiver::set_delimiter(any_line_end_t) {
  delimiter_.reset();
  any_end_ = true;
}

std::string_view line_only_receiver::received_end() const noexcept {
  return any_end_ ? std::string_view{"\n"} : delimiter();
}

bool line_only_receiver::stopped() const noexcept {
  return !connected() || getf(is_shutting_down_flag) || transport().disconnecting();
}

// What is behind the longest line allowed may be the first half of a delimiter: how the input is
// cut must not matter.
bool line_only_receiver::too_long(std::string_view unfinished) const noexcept {
  return unfinished.size() > max_length()
         && !delimiter().starts_with(unfinished.substr(max_length()));
}

void line_only_receiver::hand(std::string_view line) {
  if (any_end_ && line.ends_with('\r'))
    line.remove_suffix(1);
  if (line.size() > max_length())
    line_length_exceeded(as_bytes(line));
  else
    detail::in_callback("line_received", [&] { line_received(line); });
}

void line_only_receiver::data_received(bytes_view data) {
  if (stopped())
    return;
  auto rest = as_text(data);
  if (unfinished_) {
    const auto found = detail::find_delimiter(*unfinished_, rest, received_end());
    if (!found) {
      *unfinished_ += rest;
      if (too_long(*unfinished_)) {
        const auto line = std::move(unfinished_);
        line_length_exceeded(as_bytes(*line));
      }
      return;
    }
    const auto line = std::move(unfinished_);
    *line += rest.substr(0, found->used);
    rest.remove_prefix(found->used);
    hand(std::string_view{*line}.substr(0, found->before));
  }
  while (!stopped() && !rest.empty()) {
    const auto at = detail::find_delimiter(rest, received_end());
    if (at == std::string_view::npos) {
      if (too_long(rest))
        line_length_exceeded(as_bytes(rest));
      else
        unfinished_ = std::make_unique<std::string>(rest);
      return;
    }
    const auto line = rest.substr(0, at);
    rest.remove_prefix(at + received_end().size());
    hand(line);
  }
}

} // namespace troupe
