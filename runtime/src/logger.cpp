#include <troupe/runtime/logger.hpp>

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <troupe/runtime/detail/utf8.hpp>

#include "log_sink.hpp"

namespace troupe {

namespace {

// Tells what acts instead of being seen.
bool is_hidden(char32_t c) {
  const auto within = [c](char32_t from, char32_t to) {
    return c >= from && c <= to;
  };
  return c < 0x20 || within(0x7f, 0x9f) || c == 0xad || c == 0x61c || within(0x200b, 0x200f)
         || within(0x2028, 0x202e) || within(0x2060, 0x206f) || c == 0xfeff
         || within(0xfff0, 0xfffb) || within(0xe0000, 0xe0fff);
}

} // namespace

std::string escape_text(std::string_view text, std::size_t longest) {
  const auto rest = text.size() > longest ? text.size() - longest : 0;
  text.remove_suffix(rest);
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    const auto [code, size] = detail::next_character(text);
    const auto bytes = text.substr(0, size);
    text.remove_prefix(size);
    if (code != detail::character::broken && !is_hidden(code)) {
      result += bytes;
    } else if (code == detail::character::broken || size == 1) {
      detail::append_escaped(result, bytes);
    } else {
      result += code > 0xffff ? "\\U" : "\\u";
      detail::append_hex(result, code, code > 0xffff ? 8 : 4);
    }
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
