#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace troupe {

namespace detail {
class http_head_writer;
}

/// Fields as they came, in their order: a name and a value each.
///
/// What it returns are views of its own text: good until it is changed or gone.
///
/// Thread: one at a time. Source: RFC 9110, 5
class http_fields {
public:
  [[nodiscard]] std::size_t size() const noexcept { return places_.size(); }
  [[nodiscard]] bool empty() const noexcept { return places_.empty(); }

  /// Returns the name and the value of a field, without the space around the value.
  [[nodiscard]] std::string_view name(std::size_t i) const noexcept {
    return {text_.data() + places_[i].name, places_[i].name_size};
  }
  [[nodiscard]] std::string_view value(std::size_t i) const noexcept {
    return {text_.data() + places_[i].value, places_[i].value_size};
  }

  /// Returns the value of the first field of that name, in any case of its letters.
  [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const noexcept;

  /// Returns the values of all fields of that name, joined by ", " (RFC 9110, 5.3).
  [[nodiscard]] std::string joined(std::string_view name) const;

  /// Calls `fn(value)` with each value of that name.
  template <class F>
  void each(std::string_view name, F&& fn) const {
    for (std::size_t i = 0; i < size(); ++i)
      if (has_name(i, name))
        fn(value(i));
  }

private:
  friend class http_request_head;
  friend class http_request_parser;
  friend class http_response_head;
  friend class http_response_parser;
  friend class detail::http_head_writer;

  struct place {
    std::uint32_t name;
    std::uint32_t name_size;
    std::uint32_t value;
    std::uint32_t value_size;
  };

  [[nodiscard]] bool has_name(std::size_t i, std::string_view name) const noexcept;

  std::string text_;
  std::vector<place> places_;
};

/// The head of a request, after all checks.
///
/// Thread: one at a time. Source: RFC 9112, 3 and 6
class http_request_head {
public:
  [[nodiscard]] std::string_view method() const noexcept { return view(0, method_size_); }

  /// Returns the target as it came: mostly a path and a query.
  [[nodiscard]] std::string_view target() const noexcept {
    return view(method_size_ + 1, target_size_);
  }

  /// Returns the path, not decoded, of a target that has one: "/" of `http://example.org`; else "*" or
  /// the authority of CONNECT.
  [[nodiscard]] std::string_view path() const noexcept;

  /// Returns what is behind the first "?", not decoded, or nothing.
  [[nodiscard]] std::string_view query() const noexcept;

  /// Returns what the request calls this server: the authority of the target if it has one, else the
  /// field Host, else nothing.
  [[nodiscard]] std::string_view host() const noexcept;

  [[nodiscard]] const http_fields& fields() const noexcept { return fields_; }
  [[nodiscard]] std::optional<std::string_view> field(std::string_view name) const noexcept {
    return fields_.find(name);
  }

  /// Returns 1 and 1 for HTTP/1.1, 1 and 0 for HTTP/1.0, 2 and 0 for HTTP/2.
  [[nodiscard]] int major_version() const noexcept { return major_version_; }
  [[nodiscard]] int minor_version() const noexcept { return minor_version_; }

  /// Returns the length of the body, if the head tells it; a body of chunks has none, and one that is
  /// not there has 0.
  [[nodiscard]] std::optional<std::uint64_t> content_length() const noexcept {
    return chunked_ ? std::optional<std::uint64_t>{} : length_;
  }
  [[nodiscard]] bool chunked() const noexcept { return chunked_; }
  [[nodiscard]] bool has_body() const noexcept { return chunked_ || length_ > 0; }

  /// Tells whether the client means to send another request behind this one.
  [[nodiscard]] bool keep_alive() const noexcept { return keep_alive_; }

  /// Tells whether the client waits for "100 Continue" before it sends the body.
  [[nodiscard]] bool expects_continue() const noexcept { return expects_continue_; }

  /// Tells whether the client offers to go on with another protocol (RFC 9110, 7.8): the field Upgrade
  /// has which. So does a CONNECT of HTTP/2 that names a protocol (RFC 8441): it is a GET here.
  [[nodiscard]] bool offers_upgrade() const noexcept { return upgrade_; }

private:
  friend class http_request_parser;
  friend class detail::http_head_writer;

  [[nodiscard]] std::string_view view(std::size_t at, std::size_t size) const noexcept {
    return {fields_.text_.data() + at, size};
  }
  [[nodiscard]] std::pair<std::string_view, std::string_view> split_target() const noexcept;

  http_fields fields_; // its text is the whole head
  std::uint32_t method_size_ = 0;
  std::uint32_t target_size_ = 0;
  std::uint64_t length_ = 0;
  std::uint8_t major_version_ = 1;
  std::uint8_t minor_version_ = 1;
  bool chunked_ = false;
  bool keep_alive_ = false;
  bool expects_continue_ = false;
  bool upgrade_ = false;
};

} // namespace troupe
