#include "permessage_deflate.hpp"

#include <algorithm>
#include <utility>

#include <troupe/http/http_text.hpp>

namespace troupe::detail {

namespace {

constexpr int most_bits = 15;

// What an offer or an answer says. Bits: 0 if it says nothing, -1 without a value.
struct parameters {
  bool client_no_takeover = false;
  bool server_no_takeover = false;
  int client_bits = 0;
  int server_bits = 0;
};

// Takes the next part off the front: trimmed. A quoted value of the parameters has no semicolon.
std::string_view next_part(std::string_view& text) noexcept {
  const auto end = std::min(text.find(';'), text.size());
  const auto part = trim_http(text.substr(0, end));
  text.remove_prefix(std::min(end + 1, text.size()));
  return part;
}

// Returns 8 to 15, or 0.
int window_bits(std::string_view value) noexcept {
  if (value.size() >= 2 && value.front() == '"' && value.back() == '"')
    value = value.substr(1, value.size() - 2);
  if (value == "8" || value == "9")
    return value.front() - '0';
  const bool two = value.size() == 2 && value[0] == '1' && value[1] >= '0' && value[1] <= '5';
  return two ? 10 + (value[1] - '0') : 0;
}

// Returns nothing if it is not permessage-deflate, or not as the RFC has it: twice the same, unknown, no number.
std::optional<parameters> read_parameters(std::string_view element) {
  if (element.ends_with(';') || next_part(element) != "permessage-deflate")
    return {};
  parameters p;
  const auto once = [](bool& flag) {
    return !std::exchange(flag, true);
  };
  while (!element.empty()) {
    const auto part = next_part(element);
    const auto equals = std::min(part.find('='), part.size());
    const auto name = trim_http(part.substr(0, equals));
    const bool has_value = equals < part.size();
    const int bits = has_value ? window_bits(trim_http(part.substr(equals + 1))) : -1;
    bool good = false;
    if (name == "client_no_context_takeover")
      good = !has_value && once(p.client_no_takeover);
    else if (name == "server_no_context_takeover")
      good = !has_value && once(p.server_no_takeover);
    else if (name == "client_max_window_bits")
      good = bits != 0 && std::exchange(p.client_bits, bits) == 0;
    else if (name == "server_max_window_bits")
      good = bits > 0 && std::exchange(p.server_bits, bits) == 0;
    if (!good)
      return {};
  }
  return p;
}

} // namespace

std::optional<deflate_terms> choose_deflate(std::string_view offers) {
  for (std::string_view offer; next_http_element(offers, offer);) {
    const auto p = read_parameters(offer);
    if (!p || p->server_bits == 8) // with which zlib cannot pack
      continue;
    deflate_terms terms{
      p->server_bits == 0 ? most_bits : p->server_bits,
      "permessage-deflate; server_no_context_takeover; client_no_context_takeover"};
    if (p->server_bits != 0)
      terms.answer += "; server_max_window_bits=" + std::to_string(p->server_bits);
    return terms;
  }
  return {};
}

std::optional<deflate_terms> read_deflate_answer(std::string_view answer) {
  std::string_view only;
  if (!next_http_element(answer, only))
    return {};
  const auto p = read_parameters(only);
  std::string_view another;
  if (!p || !p->server_no_takeover || p->client_bits < 0 || next_http_element(answer, another))
    return {};
  return deflate_terms{p->client_bits == 0   ? most_bits
                       : p->client_bits == 8 ? 0
                                             : p->client_bits,
                       {}};
}

} // namespace troupe::detail
