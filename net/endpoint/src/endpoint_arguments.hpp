#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include <troupe/net/endpoint_description.hpp>

namespace troupe::detail {

/// The arguments of a description, matched with the names that its kind takes.
class endpoint_arguments {
public:
  using argument = endpoint_description::argument;

  /// \param names     in the order in which arguments without a keyword are theirs
  /// \param keywords  further ones, which take a keyword
  /// \throws endpoint_syntax_error if one is unknown, or there twice, or there are too many
  endpoint_arguments(const endpoint_description& d, std::vector<std::string_view> names,
                     const std::vector<std::string_view>& keywords = {});

  [[nodiscard]] bool has(std::string_view name) const { return find(name) != nullptr; }

  /// Each \throws endpoint_syntax_error if the argument is not there, or not of its kind.
  [[nodiscard]] const std::string& text(std::string_view name) const;
  [[nodiscard]] std::uint32_t number(std::string_view name, std::uint32_t min, std::uint32_t max,
                                     int base = 10) const;
  [[nodiscard]] bool flag(std::string_view name) const;
  [[nodiscard]] std::uint16_t port() const;

  /// \throws endpoint_syntax_error at the value of the argument `name`
  [[noreturn]] void refuse(std::string_view name, const std::string& expected) const;

private:
  const argument* find(std::string_view name) const;
  const argument& require(std::string_view name) const;

  const endpoint_description& of_;
  std::vector<std::string_view> names_;
  std::vector<const argument*> values_; // as the names
};

} // namespace troupe::detail
