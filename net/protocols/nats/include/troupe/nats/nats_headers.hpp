#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <troupe/runtime/outcome.hpp>

namespace troupe {

/// The headers of a message: names with values, in order; a name may have several. Names are compared as they
/// are written, small and capital letters told apart.
///
/// ```cpp
/// nats.publish("orders", order, {.headers = {{"Nats-Msg-Id", id}}});
/// ```
///
/// Thread: any, as a value. Source: NATS ADR-4
class nats_headers {
public:
  using entry = std::pair<std::string, std::string>;

  nats_headers() = default;

  /// \throws std::invalid_argument as `add`
  nats_headers(std::initializer_list<entry> entries);

  /// Adds a value. White space around it is not kept.
  ///
  /// \throws std::invalid_argument if `name` is empty or has anything but visible ASCII characters other
  ///         than a colon, or `value` has CR, LF or NUL: nothing of it could stand in the headers of a message
  void add(std::string_view name, std::string_view value);

  /// As `add`, in place of all values that `name` has.
  void set(std::string_view name, std::string_view value);

  /// Returns the first value of `name`; good until the headers change.
  [[nodiscard]] std::optional<std::string_view> get(std::string_view name) const noexcept;
  [[nodiscard]] std::vector<std::string_view> get_all(std::string_view name) const;
  void erase(std::string_view name);

  [[nodiscard]] const std::vector<entry>& entries() const noexcept { return entries_; }
  [[nodiscard]] bool empty() const noexcept { return entries_.empty(); }

  /// Returns the status of a message that the server made, such as 503, and its description; 0 and nothing for
  /// any other.
  [[nodiscard]] std::uint16_t status() const noexcept { return status_; }
  [[nodiscard]] const std::string& description() const noexcept { return description_; }

  /// Returns the headers as they are sent: from `NATS/1.0` to the empty line.
  [[nodiscard]] std::string block() const;

  /// Reads what `block` writes, of any peer. Ends of lines may lack their CR; a line without a colon, a name with
  /// white space or control characters, and a block without its first line or its end are refused.
  ///
  /// Fails with: `errc::malformed_input`, and what is wrong
  [[nodiscard]] static outcome<nats_headers> parse(std::string_view block);

  friend bool operator==(const nats_headers&, const nats_headers&) = default;

private:
  std::vector<entry> entries_;
  std::uint16_t status_ = 0;
  std::string description_;
};

/// Returns the status that a block of headers begins with, without looking at the rest; 0 if there is none.
[[nodiscard]] std::uint16_t nats_status(std::string_view block) noexcept;

/// Returns the first value of `name` in a block of headers, without looking at the rest, which need not be well-formed.
/// For who wants one or two of many messages: nothing is allocated.
[[nodiscard]] std::optional<std::string_view> nats_header(std::string_view block,
                                                          std::string_view name) noexcept;

} // namespace troupe
