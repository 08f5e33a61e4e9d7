// What a head of HTTP/2 must be, beyond what nghttp2 sees to.
#include <charconv>
#include <optional>
#include <utility>

#include <troupe/http/detail/http_exchange.hpp>
#include <troupe/http/http_text.hpp>

#include "http2_session.hpp"

namespace troupe {

namespace {

constexpr std::size_t bomb = 4; // heads of so many times their limit end the connection

bool is_target(std::string_view path) noexcept {
  for (const char c : path)
    if (static_cast<unsigned char>(c) <= 0x20 || static_cast<unsigned char>(c) >= 0x7f)
      return false;
  return !path.empty();
}

} // namespace

void http2_session::refuse(int status, const char* reason) noexcept {
  if (in_.refusal.status == 0)
    in_.refusal = {status, reason};
}

// Takes a field that nghttp2 has found right; false ends the connection.
bool http2_session::take_field(std::string_view name, std::string_view value) {
  in_.size += name.size() + value.size() + 4; // as it would have in HTTP/1.1
  ++in_.count;
  const auto most = in_.is_trailers ? limits_.trailers : limits_.head;
  if (in_.size > bomb * most || in_.count > bomb * limits_.fields) {
    failure_ = "a head that is much longer than allowed";
    failure_code_ = NGHTTP2_ENHANCE_YOUR_CALM;
    return false;
  }
  if (in_.size > most || in_.count > limits_.fields + 4)
    refuse(431, in_.size > most ? "the head is longer than allowed"
                                : "there are more fields than allowed");
  if (in_.refusal.status == 431)
    return true;
  if (in_.is_trailers) {
    if (!detail::is_forbidden_in_trailers(name))
      detail::http_head_writer::add(in_.trailers, name, value);
    return true;
  }
  if (name == ":method")
    in_.method = value;
  else if (name == ":path")
    in_.path = value;
  else if (name == ":authority") {
    in_.authority = value;
    in_.has_authority = true;
  } else if (!name.starts_with(':'))
    take_regular(name, value);
  return true;
}

void http2_session::take_regular(std::string_view name, std::string_view value) {
  begin_head();
  if (name == "host") {
    if (std::exchange(in_.has_host, true))
      return refuse(400, "two fields Host");
    if (in_.has_authority) { // which is there as the field already
      if (value != in_.authority)
        refuse(400, "Host is not the authority");
      return;
    }
    if (!detail::is_http_host(value))
      return refuse(400, "the field Host is no host");
  } else if (name == "cookie") { // may come in crumbs (RFC 9113, 8.2.3)
    if (!in_.cookie.empty())
      in_.cookie += "; ";
    in_.cookie += value;
    return;
  } else if (name == "content-length") {
    std::uint64_t length = 0;
    std::from_chars(value.data(), value.data() + value.size(), length);
    in_.length = length;
  } else if (name == "expect") {
    if (!equal_without_case(value, "100-continue"))
      return refuse(417, "an expectation that we cannot meet");
    in_.expects_continue = true;
  }
  detail::http_head_writer{in_.head}.add(name, value);
}

// Once the pseudo fields are there, which come first.
void http2_session::begin_head() {
  if (std::exchange(in_.begun, true))
    return;
  const auto& target = in_.method == "CONNECT" ? in_.authority : in_.path;
  detail::http_head_writer writer{in_.head};
  writer.begin(in_.method, target);
  if (target.size() > limits_.target)
    refuse(414, "the target is longer than allowed");
  else if (!is_target(target))
    refuse(400, "a byte in the target that may not be there");
  else if (in_.method != "CONNECT" && target.front() != '/'
           && !(target == "*" && in_.method == "OPTIONS"))
    refuse(400, "the target is no path"); // nghttp2 looks at those of http and https only
  if (!in_.has_authority)
    return;
  if (detail::is_http_host(in_.authority))
    writer.add("host", in_.authority);
  else
    refuse(400, "the authority is no host");
}

void http2_session::head_ended(std::int32_t stream, bool ended) {
  begin_head();
  detail::http_head_writer writer{in_.head};
  if (!in_.cookie.empty())
    writer.add("cookie", in_.cookie);
  writer.end(ended ? std::optional<std::uint64_t>{0} : in_.length, in_.expects_continue && !ended);
  events_.head_received(stream, std::move(in_.head), ended, in_.refusal);
}

} // namespace troupe
