#include <troupe/http/http_client_request.hpp>

#include <algorithm>
#include <stdexcept>

#include <troupe/http/http_text.hpp>
#include <troupe/runtime/detail/base64.hpp>

namespace troupe {

http_client_request::http_client_request(std::string_view method, http_url url)
  : method_(method), url_(std::move(url)) {
  if (!is_http_token(method))
    throw std::invalid_argument("the method of a request is no token");
  if (method == "CONNECT")
    throw std::invalid_argument("CONNECT is for the agent's own use, with a proxy");
}

http_client_request& http_client_request::add(std::string_view name, std::string_view value) & {
  if (!is_http_token(name))
    throw std::invalid_argument("the name of a field is no token");
  if (!is_http_field_value(value))
    throw std::invalid_argument("the field " + std::string{name} + " has a control character");
  for (const std::string_view ours :
       {"Content-Length", "Transfer-Encoding", "Connection", "Upgrade", "Expect", "TE", "Trailer",
        "Keep-Alive", "Proxy-Authorization", "Proxy-Connection"})
    if (equal_without_case(name, ours))
      throw std::invalid_argument("the agent writes the field " + std::string{name});
  if (equal_without_case(name, "Host"))
    remove(name); // there is exactly one
  fields_.emplace_back(name, trim_http(value));
  return *this;
}

http_client_request& http_client_request::set(std::string_view name, std::string_view value) & {
  remove(name);
  return add(name, value);
}

void http_client_request::remove(std::string_view name) {
  std::erase_if(fields_, [&](const auto& f) { return equal_without_case(f.first, name); });
}

std::optional<std::string_view> http_client_request::field(std::string_view name) const noexcept {
  for (const auto& [key, value] : fields_)
    if (equal_without_case(key, name))
      return value;
  return {};
}

http_client_request& http_client_request::basic_auth(std::string_view name,
                                                     std::string_view password) & {
  if (name.find(':') != std::string_view::npos)
    throw std::invalid_argument("basic_auth: the name has a colon");
  std::string both{name};
  (both += ':') += password;
  return set("Authorization", "Basic " + detail::to_base64(both));
}

http_client_request& http_client_request::body(std::string text, std::string_view content_type) & {
  set("Content-Type", content_type);
  text_ = std::move(text);
  source_.reset();
  has_body_ = true;
  streams_ = false;
  return *this;
}

http_client_request& http_client_request::body(std::unique_ptr<http_body_source> source,
                                               std::optional<std::uint64_t> size) & {
  text_.clear();
  source_ = std::move(source);
  size_ = size;
  has_body_ = streams_ = source_ != nullptr;
  return *this;
}

bool http_client_request::idempotent() const noexcept {
  for (const std::string_view safe : {"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"})
    if (method_ == safe)
      return true;
  return false;
}

} // namespace troupe
