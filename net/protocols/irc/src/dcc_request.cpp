#include <troupe/irc/dcc_request.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <stdexcept>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <troupe/net/printable.hpp>

#include "cut_text.hpp"

namespace troupe::irc {

namespace {

constexpr std::array<std::string_view, 4> dcc_kinds{"SEND", "CHAT", "RESUME", "ACCEPT"};

std::string_view next_dcc_word(std::string_view& rest) {
  rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
  if (rest.starts_with('"'))
    if (const auto end = rest.find('"', 1); end != std::string_view::npos) {
      const auto word = rest.substr(1, end - 1);
      rest.remove_prefix(end + 1);
      return word;
    }
  const auto word = rest.substr(0, rest.find(' '));
  rest.remove_prefix(word.size());
  return word;
}

bool breaks_out(char c) {
  return c == '"' || static_cast<unsigned char>(c) < ' ' || c == 0x7f;
}

bool is_dcc_token(std::string_view token) {
  return std::ranges::none_of(token, [](char c) { return c == ' ' || breaks_out(c); });
}

template <class T>
std::optional<T> number_of(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size())
    return std::nullopt;
  return value;
}

std::optional<net_address> address_in(std::string_view text, std::uint16_t port) {
  const std::string copy{text};
  char shown[INET6_ADDRSTRLEN];
  in6_addr v6{};
  in_addr v4{};
  if (const auto bits = number_of<std::uint32_t>(text))
    v4.s_addr = htonl(*bits);
  else if (::inet_pton(AF_INET6, copy.c_str(), &v6) == 1)
    return net_address::ip(::inet_ntop(AF_INET6, &v6, shown, sizeof shown), port);
  else if (text.size() != copy.size() || ::inet_pton(AF_INET, copy.c_str(), &v4) != 1)
    return std::nullopt;
  return net_address::ip(::inet_ntop(AF_INET, &v4, shown, sizeof shown), port);
}

bool is_public(std::uint32_t v4) {
  const auto in = [v4](std::uint32_t network, unsigned bits) {
    return (v4 ^ network) >> (32 - bits) == 0;
  };
  return !(in(0x00000000, 8) || in(0x0a000000, 8) || in(0x64400000, 10) || in(0x7f000000, 8)
           || in(0xa9fe0000, 16) || in(0xac100000, 12) || in(0xc0000000, 24) || in(0xc0a80000, 16)
           || in(0xc6120000, 15) || in(0xe0000000, 3));
}

// Source: the registries of special addresses, RFC 6890
bool is_public(const net_address& a) {
  in_addr v4{};
  if (::inet_pton(AF_INET, a.host().c_str(), &v4) == 1)
    return is_public(ntohl(v4.s_addr));
  in6_addr v6{};
  if (::inet_pton(AF_INET6, a.host().c_str(), &v6) != 1)
    return false;
  const auto* const b = v6.s6_addr;
  if (IN6_IS_ADDR_V4MAPPED(&v6) || IN6_IS_ADDR_V4COMPAT(&v6) || (b[0] == 0 && b[1] == 0x64))
    return false; // IPv4 in disguise, which has a form of its own
  return (b[0] & 0xe0) == 0x20 && !(b[0] == 0x20 && b[1] == 0x02)
         && !(b[0] == 0x20 && b[1] == 0x01 && b[2] == 0 && b[3] == 0);
}

} // namespace

dcc_parsed parse_dcc(std::string_view data) {
  auto rest = data;
  std::string type{next_dcc_word(rest)};
  for (auto& c : type)
    if (c >= 'a' && c <= 'z')
      c = static_cast<char>(c - 'a' + 'A');
  const auto kind = std::find(dcc_kinds.begin(), dcc_kinds.end(), type);
  if (kind == dcc_kinds.end())
    return {{}, "unknown DCC type"};
  dcc_request r;
  r.kind = static_cast<dcc_kind>(kind - dcc_kinds.begin());
  std::vector<std::string_view> words;
  for (rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
       !rest.empty() && words.size() < 5;
       rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size())))
    words.push_back(next_dcc_word(rest));
  if (words.size() < 3)
    return {{}, "malformed DCC " + type + " request"};
  r.file = words[0];
  if (r.kind == dcc_kind::resume || r.kind == dcc_kind::accept) {
    const auto port = number_of<std::uint16_t>(words[1]);
    if (!port)
      return {{}, "Indecipherable port"};
    const auto position = number_of<std::uint64_t>(words[2]);
    if (!position)
      return {};
    r.port = *port;
    r.position = *position;
    if (words.size() > 3)
      r.token = words[3];
    if (!is_dcc_token(r.token))
      return {{}, "malformed DCC " + type + " request"};
    return {std::move(r)};
  }
  const auto port = number_of<std::uint16_t>(words[2]);
  if (!port)
    return {{}, "Indecipherable port"};
  r.port = *port;
  auto where = address_in(words[1], *port);
  if (!where)
    return {{}, "Indecipherable address"};
  r.address = *std::move(where);
  const std::size_t token = r.kind == dcc_kind::send ? 4 : 3;
  if (r.kind == dcc_kind::send && words.size() > 3)
    r.size = number_of<std::uint64_t>(words[3]);
  if (words.size() > token)
    r.token = words[token];
  if (!is_dcc_token(r.token))
    return {{}, "malformed DCC " + type + " request"};
  return {std::move(r)};
}

ctcp_request to_ctcp(const dcc_request& r) {
  if (r.file.empty() || std::ranges::any_of(r.file, breaks_out))
    throw std::invalid_argument(
      "irc::to_ctcp: a name of a file that is empty, or has quotes or control characters");
  if (!is_dcc_token(r.token))
    throw std::invalid_argument("irc::to_ctcp: a token of more than a word");
  std::string out{dcc_kinds[static_cast<std::size_t>(r.kind)]};
  const bool quoted = r.file.find(' ') != std::string::npos;
  out.append(quoted ? " \"" : " ").append(r.file).append(quoted ? "\" " : " ");
  if (r.kind == dcc_kind::resume || r.kind == dcc_kind::accept) {
    out += std::to_string(r.port) + ' ' + std::to_string(r.position);
  } else {
    in_addr v4{};
    if (::inet_pton(AF_INET, r.address.host().c_str(), &v4) == 1)
      out += std::to_string(ntohl(v4.s_addr));
    else
      out += r.address.host();
    out += ' ' + std::to_string(r.port);
    if (r.size)
      out += ' ' + std::to_string(*r.size);
    else if (r.kind == dcc_kind::send && !r.token.empty())
      out += " -1"; // its place is not the token's
  }
  if (!r.token.empty())
    out += ' ' + r.token;
  return {"DCC", std::move(out)};
}

std::string dcc_file_name(std::string_view name) {
  constexpr std::size_t most = 200;
  if (const auto cut = name.find_last_of("/\\"); cut != std::string_view::npos)
    name.remove_prefix(cut + 1);
  auto shown = printable(name);
  for (auto& c : shown)
    if (c == '/' || c == '\\')
      c = '_';
  const auto begin = shown.find_first_not_of(". ");
  if (begin == std::string::npos)
    return {};
  shown.erase(0, begin);
  shown.resize(cut_text(shown, most).size());
  shown.erase(shown.find_last_not_of(' ') + 1);
  if (shown.front() == '-') // which programs take for an option
    shown.front() = '_';
  return shown;
}

std::string dcc_sendable_name(std::string_view name) {
  std::string out{name.empty() ? "file" : name};
  std::ranges::replace_if(out, breaks_out, '_');
  return out;
}

std::string dcc_refusal(const dcc_request& r, const dcc_rules& rules) {
  if (r.kind == dcc_kind::resume || r.kind == dcc_kind::accept)
    return {};
  if (r.kind == dcc_kind::send) {
    if (dcc_file_name(r.file).empty())
      return "no name of a file";
    if (r.size.value_or(0) > rules.most_bytes)
      return "a file of more than " + std::to_string(rules.most_bytes) + " bytes";
  }
  if (r.port == 0)
    return r.token.empty() ? "no port" : "";
  if (r.port < 1024 && !rules.low_ports)
    return "a port below 1024";
  if (!rules.private_addresses && !is_public(r.address))
    return "an address that is not public";
  return {};
}

} // namespace troupe::irc
