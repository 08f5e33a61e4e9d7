#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <troupe/http/detail/http_incoming_body.hpp>
#include <troupe/http/http_request.hpp>
#include <troupe/http/http_response.hpp>
#include <troupe/http/http_response_head.hpp>
#include <troupe/http/http_server.hpp>

namespace spdlog {
class logger;
}

namespace troupe::detail {

struct http_request_state;

/// Where a request came from, and its response goes: a connection of HTTP/1.1, or a stream of HTTP/2.
///
/// Thread: that of the connection.
class http_exchange {
public:
  [[nodiscard]] virtual protocol& carrier() noexcept = 0; ///< the connection
  [[nodiscard]] virtual deferred<std::string> read_body(http_request_state& s, bool all,
                                                        std::size_t limit) = 0;

protected:
  ~http_exchange() = default;
};

/// What the copies of a request share with where it came from.
struct http_request_state {
  http_request_head head;
  http_fields trailers;
  http_exchange* exchange = nullptr; // null once it has ended, or is done with the request
  std::vector<std::pair<std::string, std::string>> parameters;
  std::size_t rest_at = 0;

  http_incoming_body body;

  void hand_body();
};

/// What the connections of one server share; it never changes.
struct http_service {
  http_handler handler;
  http_server_options options;

  /// Makes what takes a connection over that speaks HTTP/2: by ALPN, or by its preface where there is
  /// no TLS. None: the server does not speak it.
  std::function<std::unique_ptr<http_upgraded>(protocol&, std::shared_ptr<const http_service>)>
    http2{};
};

[[nodiscard]] factory_ref http_server_of(std::shared_ptr<const http_service> service);

/// Opens what a request, a response and a reply have for the connection alone.
struct http_insides {
  using streamed = http_response::streamed;
  using body = std::variant<std::string, shared_bytes, http_file, streamed>;

  [[nodiscard]] static http_request request(std::shared_ptr<http_request_state> s) noexcept {
    return http_request{std::move(s)};
  }
  [[nodiscard]] static auto& value(http_reply& r) noexcept { return r.value_; }
  [[nodiscard]] static const std::string& fields(const http_response& r) noexcept {
    return r.fields_; // "Name: value\r\n" each
  }
  [[nodiscard]] static body& of(http_response& r) noexcept { return r.body_; }
  [[nodiscard]] static bool closes(const http_response& r) noexcept { return r.closes_; }
  [[nodiscard]] static std::unique_ptr<http_upgraded>& upgraded(http_response& r) noexcept {
    return r.upgraded_; // null unless it is an upgrade
  }
};

/// Makes a head of what came in another way than as lines of text. What it is given is checked already.
class http_head_writer {
public:
  explicit http_head_writer(http_request_head& head) noexcept : head_(head) {}

  /// Begins it anew, for HTTP/2.
  void begin(std::string_view method, std::string_view target);
  void add(std::string_view name, std::string_view value) { add(head_.fields_, name, value); }
  void offer_upgrade() noexcept { head_.upgrade_ = true; }
  static void add(http_fields& fields, std::string_view name, std::string_view value);

  /// Tells whether it has more memory than is worth keeping for another one.
  [[nodiscard]] static bool holds_much(const http_request_head& head) noexcept {
    return head.fields_.text_.capacity() > 1024;
  }

  /// \param length  of the body; nothing if it is not known
  void end(std::optional<std::uint64_t> length, bool expects_continue) noexcept;

  /// The same for a response. \param length  of the body that follows
  static void begin(http_response_head& head, int status);
  static void add(http_response_head& head, std::string_view name, std::string_view value) {
    add(head.fields_, name, value);
  }
  static void end(http_response_head& head, std::optional<std::uint64_t> length) noexcept;

private:
  http_request_head& head_;
};

/// Tells whether `text` is a host, perhaps with a port, as the field Host has it.
[[nodiscard]] bool is_http_host(std::string_view text) noexcept;

/// Tells whether a field must not come behind the body, where it could change what was read already.
[[nodiscard]] bool is_forbidden_in_trailers(std::string_view name) noexcept;

/// Returns what comes behind a body, "Name: value\r\n" each.
///
/// \throws std::invalid_argument if there is a field that `http_response::add` refuses, or that must not
///         come behind a body
[[nodiscard]] std::string trailers_of(http_body_source& body);

/// Returns the answer to a handler's failure: its `http_error`, else 500, and `log` gets a line.
[[nodiscard]] http_response http_answer_to(const failure& why, spdlog::logger& log,
                                           std::string_view owner, const http_request_head& head);

/// Reads what the system has in memory of a file.
///
/// \returns how much: 0 at its end, or if it cannot be read; nothing if it would have to wait
[[nodiscard]] std::optional<std::size_t>
read_if_cached(const file_descriptor& file, std::span<std::byte> into, std::uint64_t at);

/// Reads the rest, up to `size` bytes, and may wait: for a thread. \throws std::system_error
[[nodiscard]] std::string read_waiting(const file_descriptor& file, std::uint64_t at,
                                       std::size_t size);

} // namespace troupe::detail
