#include <troupe/websocket/websocket_handshake.hpp>

#include <algorithm>
#include <array>
#include <optional>
#include <stdexcept>

#include <openssl/evp.h>

#include <troupe/http/http_text.hpp>
#include <troupe/runtime/detail/base64.hpp>
#include <troupe/websocket/websocket_frame.hpp>

#include "permessage_deflate.hpp"

namespace troupe {

namespace {

constexpr std::array<std::string_view, 10> own_fields{"Host",
                                                      "Upgrade",
                                                      "Connection",
                                                      "Content-Length",
                                                      "Transfer-Encoding",
                                                      "Sec-WebSocket-Key",
                                                      "Expect",
                                                      "Sec-WebSocket-Version",
                                                      "Sec-WebSocket-Protocol",
                                                      "Sec-WebSocket-Extensions"};

std::string random_key() {
  std::string bytes;
  for (int i = 0; i < 4; ++i)
    for (const auto byte : random_websocket_mask())
      bytes += static_cast<char>(byte);
  return detail::to_base64(bytes);
}

} // namespace

std::string websocket_accept_key(std::string_view key) {
  const auto bytes = key.size() == 24 ? detail::from_base64(key) : std::nullopt;
  if (!bytes || bytes->size() != 16)
    return {};
  const auto text = std::string{key} + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned size = 0;
  if (EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha1(), nullptr) != 1)
    throw std::runtime_error("websocket_accept_key: SHA-1 failed");
  return detail::to_base64({reinterpret_cast<const char*>(digest.data()), size});
}

websocket_handshake::websocket_handshake(const websocket_url& url, const websocket_request& request)
  : offered_(request.subprotocols), offers_deflate_(request.deflate) {
  const auto key = random_key();
  accept_ = websocket_accept_key(key);
  to_send_ = "GET " + url.target + " HTTP/1.1\r\nHost: " + url.authority()
             + "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: " + key
             + "\r\nSec-WebSocket-Version: 13\r\n";
  std::string names;
  for (const auto& name : offered_) {
    if (!is_http_token(name) || std::ranges::count(offered_, name) != 1)
      throw std::invalid_argument("websocket_handshake: no name of a subprotocol, or one that is "
                                  "there twice: \""
                                  + name + '"');
    (names += names.empty() ? "" : ", ") += name;
  }
  if (!names.empty())
    to_send_ += "Sec-WebSocket-Protocol: " + names + "\r\n";
  if (offers_deflate_)
    (to_send_ += "Sec-WebSocket-Extensions: ").append(detail::deflate_offer) += "\r\n";
  for (const auto& [name, value] : request.fields) {
    if (!is_http_token(name) || !is_http_field_value(value))
      throw std::invalid_argument("websocket_handshake: no field: \"" + name + '"');
    if (std::ranges::any_of(own_fields, [&](auto own) { return equal_without_case(own, name); }))
      throw std::invalid_argument("websocket_handshake: the handshake writes the field " + name);
    to_send_ += name + ": " + value + "\r\n";
  }
  to_send_ += "\r\n";
}

websocket_handshake::event websocket_handshake::refuse(std::string why) {
  over_ = true;
  reason_ = std::move(why);
  return event::refused;
}

websocket_handshake::event websocket_handshake::next(bytes_view& in) {
  if (over_) {
    if (!reason_.empty())
      in = {};
    return reason_.empty() ? event::done : event::refused;
  }
  const auto before = head_.size();
  head_ += as_text(in.first(std::min(in.size(), longest_head - before)));
  const auto from = before < 3 ? 0 : before - 3;
  const auto end = head_.find("\r\n\r\n", from);
  if (end == std::string::npos) {
    in = {};
    if (head_.size() == longest_head)
      return refuse("the head of the answer is too long");
    if (!std::string_view{"HTTP/1.1 "}.starts_with(std::string_view{head_}.substr(0, 9)))
      return refuse("this is no answer of HTTP/1.1");
    return event::more;
  }
  in = in.subspan(end + 4 - before);
  head_.resize(end + 2);
  if (!head_.starts_with("HTTP/1.1 "))
    return refuse("this is no answer of HTTP/1.1");
  return read_head();
}

websocket_handshake::event websocket_handshake::read_head() {
  std::string_view rest = head_;
  const auto line = [&] {
    const auto at = rest.find("\r\n");
    const auto l = rest.substr(0, at);
    rest.remove_prefix(at + 2);
    return l;
  };
  const auto first = line();
  const auto digits = first.substr(9, 3);
  if (digits.size() != 3 || digits.find_first_not_of("0123456789") != std::string_view::npos
      || digits[0] == '0' || !is_http_field_value(first) || (first.size() > 12 && first[12] != ' '))
    return refuse("the answer has no status");
  status_ = (digits[0] - '0') * 100 + (digits[1] - '0') * 10 + (digits[2] - '0');
  std::string upgrade;
  std::string connection;
  std::optional<std::string> accept;
  std::optional<std::string> chosen;
  std::string extensions;
  std::size_t fields = 0;
  while (!rest.empty()) {
    const auto l = line();
    const auto colon = l.find(':');
    if (colon == std::string_view::npos || !is_http_token(l.substr(0, colon))
        || !is_http_field_value(l.substr(colon + 1)) || ++fields > 100)
      return refuse("the head of the answer is malformed");
    const auto name = l.substr(0, colon);
    const std::string value{trim_http(l.substr(colon + 1))};
    const auto once = [&](std::optional<std::string>& to) {
      const bool again = to.has_value();
      to = value;
      return !again;
    };
    if (equal_without_case(name, "Upgrade"))
      (upgrade += upgrade.empty() ? "" : ", ") += value;
    else if (equal_without_case(name, "Connection"))
      (connection += connection.empty() ? "" : ", ") += value;
    else if (equal_without_case(name, "Sec-WebSocket-Extensions"))
      (extensions += extensions.empty() ? "" : ", ") += value;
    else if ((equal_without_case(name, "Sec-WebSocket-Accept") && !once(accept))
             || (equal_without_case(name, "Sec-WebSocket-Protocol") && !once(chosen)))
      return refuse("the answer has a field twice");
  }
  if (status_ != 101) {
    const auto phrase = first.size() > 13 ? ' ' + std::string{first.substr(13, 100)} : "";
    return refuse("the server answers " + std::string{digits} + phrase);
  }
  if (!equal_without_case(upgrade, "websocket") || !http_list_has(connection, "upgrade"))
    return refuse("the server goes on with another protocol");
  if (accept != accept_)
    return refuse("the server's answer is not one to this key");
  if (!extensions.empty()) {
    if (!offers_deflate_)
      return refuse("the server chose an extension that was not offered");
    const auto terms = detail::read_deflate_answer(extensions);
    if (!terms)
      return refuse("the server's extension is none that was offered");
    deflate_bits_ = terms->window_bits;
  }
  if (chosen && std::ranges::find(offered_, *chosen) == offered_.end())
    return refuse("the server chose a subprotocol that was not offered");
  subprotocol_ = chosen.value_or("");
  over_ = true;
  std::string{}.swap(head_);
  return event::done;
}

} // namespace troupe
