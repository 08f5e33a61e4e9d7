#include <troupe/runtime/logger.hpp>

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include "log_sink.hpp"

namespace troupe {

namespace {

constexpr std::size_t not_utf8 = 0;

struct character {
  char32_t code = 0;
  std::size_t size = not_utf8; // in bytes
};

// Returns the character that `text`, which is not empty, begins with.
character first_of(std::string_view text) {
  const auto byte = [&](std::size_t i) {
    return static_cast<unsigned char>(text[i]);
  };
  const auto lead = byte(0);
  if (lead < 0x80)
    return {lead, 1};
  const std::size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < size)
    return {};
  char32_t code = lead & (0x7fu >> size);
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80)
      return {};
    code = code << 6 | (byte(i) & 0x3f);
  }
  constexpr char32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  if (code < least[size] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
    return {};
  return {code, size};
}

// Tells what acts instead of being seen.
bool is_hidden(char32_t c) {
  const auto within = [c](char32_t from, char32_t to) {
    return c >= from && c <= to;
  };
  return c < 0x20 || within(0x7f, 0x9f) || c == 0xad || c == 0x61c || within(0x200b, 0x200f)
         || within(0x2028, 0x202e) || within(0x2060, 0x206f) || c == 0xfeff
         || within(0xfff0, 0xfffb) || within(0xe0000, 0xe0fff);
}

void append_hex(std::string& to, std::uint32_t value, int digits) {
  for (int i = digits - 1; i >= 0; --i)
    to += "0123456789abcdef"[value >> 4 * i & 0xf];
}

} // namespace

std::string escape_text(std::string_view text, std::size_t longest) {
  const auto rest = text.size() > longest ? text.size() - longest : 0;
  text.remove_suffix(rest);
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    const auto [code, size] = first_of(text);
    if (size == not_utf8 || (size == 1 && is_hidden(code))) {
      result += "\\x";
      append_hex(result, static_cast<unsigned char>(text[0]), 2);
      text.remove_prefix(1);
      continue;
    }
    if (is_hidden(code)) {
      result += code > 0xffff ? "\\U" : "\\u";
      append_hex(result, code, code > 0xffff ? 8 : 4);
    } else {
      result += text.substr(0, size);
    }
    text.remove_prefix(size);
  }
  if (rest != 0)
    result += " ... and " + std::to_string(rest) + " bytes more";
  return result;
}

// It writes to standard output, between what the program has to say.
static bool is_spdlogs_own(const spdlog::logger& logger) {
  return logger.name().empty() && logger.sinks().size() == 1
         && dynamic_cast<spdlog::sinks::stdout_color_sink_mt*>(logger.sinks().front().get())
              != nullptr;
}

std::shared_ptr<spdlog::logger> detail::usual_logger() {
  auto set = spdlog::default_logger();
  if (set != nullptr && !is_spdlogs_own(*set))
    return set;
  // It is never destroyed: what runs behind main may log too.
  static auto* const ours = new std::shared_ptr<spdlog::logger>(make_logger());
  if (set != nullptr)
    (*ours)->set_level(set->level());
  return *ours;
}

std::shared_ptr<spdlog::logger> make_logger(std::string name, log_options options) {
  return std::make_shared<spdlog::logger>(std::move(name),
                                          std::make_shared<detail::log_sink>(options));
}

} // namespace troupe
