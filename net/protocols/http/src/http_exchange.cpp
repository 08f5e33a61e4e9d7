#include <troupe/http/detail/http_exchange.hpp>

#include <cerrno>
#include <stdexcept>
#include <system_error>

#include <sys/uio.h>
#include <unistd.h>

#include <spdlog/logger.h>

#include <troupe/http/http_status.hpp>
#include <troupe/runtime/logger.hpp>

namespace troupe::detail {

void http_request_state::hand_body() {
  if (!body.hand())
    body.fail(http_error{413, "The body is longer than allowed.\n"});
}

void http_head_writer::begin(std::string_view method, std::string_view target) {
  head_ = {};
  auto& text = head_.fields_.text_;
  ((text += method) += ' ') += target;
  head_.method_size_ = static_cast<std::uint32_t>(method.size());
  head_.target_size_ = static_cast<std::uint32_t>(target.size());
  head_.major_version_ = 2;
  head_.minor_version_ = 0;
  head_.keep_alive_ = true;
}

void http_head_writer::add(http_fields& fields, std::string_view name, std::string_view value) {
  auto& text = fields.text_;
  const auto at = static_cast<std::uint32_t>(text.size());
  const auto name_size = static_cast<std::uint32_t>(name.size());
  (text += name) += value;
  fields.places_.push_back(
    {at, name_size, at + name_size, static_cast<std::uint32_t>(value.size())});
}

void http_head_writer::end(std::optional<std::uint64_t> length, bool expects_continue) noexcept {
  head_.chunked_ = !length; // as the body of chunks is: as long as it is
  head_.length_ = length.value_or(0);
  head_.expects_continue_ = expects_continue;
}

void http_head_writer::begin(http_response_head& head, int status) {
  head = {};
  head.status_ = static_cast<std::uint16_t>(status);
  head.major_version_ = 2;
  head.minor_version_ = 0;
  head.keep_alive_ = true;
}

void http_head_writer::end(http_response_head& head, std::optional<std::uint64_t> length) noexcept {
  head.chunked_ = !length;
  head.length_ = length.value_or(0);
}

std::string trailers_of(http_body_source& body) {
  http_response fields;
  for (const auto& [name, value] : body.trailers()) {
    if (is_forbidden_in_trailers(name))
      throw std::invalid_argument("the field " + name + " must not come behind a body");
    fields.add(name, value);
  }
  return http_insides::fields(fields);
}

http_response http_answer_to(const failure& why, spdlog::logger& log, std::string_view owner,
                             const http_request_head& head) {
  if (why.check<http_error>()) {
    try {
      why.raise();
    } catch (const http_error& e) {
      std::string text = e.what();
      if (text.empty() || text.back() != '\n')
        text += '\n';
      return http_response{e.status(), std::move(text)}.set("X-Content-Type-Options", "nosniff");
    }
  }
  log.error("[{}] {} {}: {}", owner, head.method(), escape_text(head.target(), 200), why.message());
  return http_response{500, "Internal Server Error\n"}.set("X-Content-Type-Options", "nosniff");
}

std::optional<std::size_t> read_if_cached(const file_descriptor& file, std::span<std::byte> into,
                                          std::uint64_t at) {
  const iovec where{into.data(), into.size()};
  const auto got = ::preadv2(file.get(), &where, 1, static_cast<off_t>(at), RWF_NOWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EOPNOTSUPP || errno == ENOSYS || errno == EINTR))
    return {};
  return got < 0 ? 0 : static_cast<std::size_t>(got);
}

std::string read_waiting(const file_descriptor& file, std::uint64_t at, std::size_t size) {
  std::string data(size, '\0');
  const auto got = ::pread(file.get(), data.data(), size, static_cast<off_t>(at));
  if (got < 0)
    throw std::system_error(errno, std::system_category(), "a file");
  data.resize(static_cast<std::size_t>(got));
  return data;
}

} // namespace troupe::detail
