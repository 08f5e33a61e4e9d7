#include <troupe/nats/nats_decoder.hpp>

#include <algorithm>
#include <array>
#include <cstring>

#include <troupe/runtime/logger.hpp>

#include "nats_text.hpp"

namespace troupe {

namespace {

constexpr std::size_t small_buffer =
  std::size_t{16} * 1024; // what is kept allocated between messages

bool is_word(std::string_view text, std::string_view word) noexcept {
  return text.size() == word.size()
         && std::equal(text.begin(), text.end(), word.begin(), [](char a, char b) {
              return a == b || (a >= 'a' && a <= 'z' && a - 'a' + 'A' == b);
            });
}

constexpr bool is_space(char c) noexcept {
  return c == ' ' || c == '\t';
}

// Takes the next word off `text`.
std::string_view take_word(std::string_view& text) noexcept {
  std::size_t from = 0;
  while (from < text.size() && is_space(text[from]))
    ++from;
  std::size_t to = from;
  while (to < text.size() && !is_space(text[to]))
    ++to;
  const auto word = text.substr(from, to - from);
  text.remove_prefix(to);
  return word;
}

// Reads a number of up to 18 digits.
bool read_number(std::string_view text, std::uint64_t& into) noexcept {
  if (text.empty() || text.size() > 18)
    return false;
  std::uint64_t n = 0;
  for (const char c : text) {
    if (c < '0' || c > '9')
      return false;
    n = n * 10 + static_cast<std::uint64_t>(c - '0');
  }
  into = n;
  return true;
}

bool has_control_character(std::string_view text) noexcept {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < ' ' && c != '\t'; });
}

} // namespace

nats_decoder::result nats_decoder::feed(std::string_view in, nats_sink& sink) {
  stopped_ = false;
  if (error_)
    return {error_, {}};
  while (!kept_.empty() && !in.empty()) {
    // Only as much as the unfinished one lacks, as far as that is known.
    std::size_t some = in.size();
    if (wanted_ > kept_.size()) {
      some = std::min(some, wanted_ - kept_.size());
    } else {
      const auto end = in.find('\n');
      some = end == std::string_view::npos ? in.size() : end + 1;
      if (kept_.size() + some > limits_.max_line + (end == std::string_view::npos ? 1 : 2)) {
        refuse(errc::line_too_long, "a line of the server");
        return {error_, {}};
      }
    }
    kept_.append(in.substr(0, some));
    in.remove_prefix(some);
    if (kept_.size() < wanted_ || (wanted_ == 0 && kept_.back() != '\n'))
      continue;
    const auto s = take_one(kept_, sink);
    if (error_)
      return {error_, {}};
    wanted_ = s.wanted;
    if (s.used != 0) {
      if (kept_.capacity() > small_buffer)
        kept_ = std::string{};
      else
        kept_.clear();
      if (stopped_)
        return {{}, in};
    } else if (wanted_ > kept_.capacity()) {
      kept_.reserve(wanted_);
    }
  }
  while (!in.empty()) {
    const auto s = take_one(in, sink);
    if (error_)
      return {error_, {}};
    if (s.used == 0) {
      keep(in, s.wanted);
      break;
    }
    in.remove_prefix(s.used);
    if (stopped_)
      return {{}, in};
  }
  return {error_, {}};
}

void nats_decoder::keep(std::string_view in, std::size_t wanted) {
  if (wanted > kept_.capacity())
    kept_.reserve(wanted);
  kept_.assign(in);
  wanted_ = wanted;
}

void nats_decoder::refuse(errc code, const char* what, std::string_view text) {
  std::string context = what;
  if (!text.empty())
    context += ": \"" + escape_text(text, 64) + '"';
  error_ = failure{code, std::move(context)};
  kept_ = std::string{};
  wanted_ = 0;
}

nats_decoder::step nats_decoder::take_one(std::string_view in, nats_sink& sink) {
  const auto* const found = static_cast<const char*>(
    std::memchr(in.data(), '\n', std::min(in.size(), limits_.max_line + 2)));
  if (found == nullptr) {
    if (in.size() > limits_.max_line + 1)
      refuse(errc::line_too_long, "a line of the server");
    return {};
  }
  const auto begin = static_cast<std::size_t>(found - in.data()) + 1;
  auto line = in.substr(0, begin - 1);
  if (line.ends_with('\r'))
    line.remove_suffix(1);
  if (line.size() > limits_.max_line) {
    refuse(errc::line_too_long, "a line of the server");
    return {};
  }
  auto rest = line;
  const auto word = take_word(rest);
  if (is_word(word, "MSG"))
    return take_message(rest, in, begin, false, sink);
  if (is_word(word, "HMSG"))
    return take_message(rest, in, begin, true, sink);
  if (is_word(word, "PING"))
    sink.ping_received();
  else if (is_word(word, "PONG"))
    sink.pong_received();
  else if (is_word(word, "+OK"))
    sink.ok_received();
  else if (is_word(word, "INFO"))
    sink.info_received(detail::trimmed(rest));
  else if (is_word(word, "-ERR")) {
    auto text = detail::trimmed(rest);
    if (text.size() >= 2 && text.front() == '\'' && text.back() == '\'')
      text = text.substr(1, text.size() - 2);
    sink.error_received(text);
  } else {
    refuse(errc::malformed_input, "what no NATS server says", line);
    return {};
  }
  return {begin, 0};
}

nats_decoder::step nats_decoder::take_message(std::string_view line, std::string_view in,
                                              std::size_t begin, bool headers, nats_sink& sink) {
  std::array<std::string_view, 6> words;
  std::size_t count = 0;
  for (auto rest = line; count < words.size(); ++count)
    if ((words[count] = take_word(rest)).empty())
      break;
  const std::size_t numbers = headers ? 2 : 1;
  std::uint64_t sid = 0;
  std::uint64_t header_size = 0;
  std::uint64_t size = 0;
  if (count < 2 + numbers || count > 3 + numbers || !read_number(words[1], sid)
      || !read_number(words[count - 1], size)
      || (headers && !read_number(words[count - 2], header_size)) || has_control_character(line)) {
    refuse(errc::malformed_input, "the line of a message", line);
    return {};
  }
  if (size > limits_.max_message) {
    refuse(errc::message_too_long, "a message of the server", words[count - 1]);
    return {};
  }
  if (header_size > size) {
    refuse(errc::malformed_input, "headers that are longer than their message", line);
    return {};
  }
  const auto total = begin + size + 2;
  if (in.size() < total) {
    // What follows a payload is known before it is all there.
    if (in.size() == total - 1 && in.back() != '\r')
      refuse(errc::malformed_input, "a message that does not end where it should");
    return {0, total};
  }
  if (in[total - 2] != '\r' || in[total - 1] != '\n') {
    refuse(errc::malformed_input, "a message that does not end where it should");
    return {};
  }
  sink.message_received(sid, {.subject = words[0],
                              .reply = count == 3 + numbers ? words[2] : std::string_view{},
                              .header_block = in.substr(begin, header_size),
                              .payload = in.substr(begin + header_size, size - header_size)});
  return {total, 0};
}

} // namespace troupe
