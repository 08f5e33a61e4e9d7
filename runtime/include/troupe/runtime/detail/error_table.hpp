#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <system_error>

namespace troupe::detail {

/// A code of an error enumeration: its name, and its sentence for people.
template <class Code>
struct error_entry {
  Code code;
  std::string_view name;
  std::string_view text;
};

/// Returns the entry of `code` in a table; null if there is none.
template <class Code, std::size_t N>
constexpr const error_entry<Code>* find_error(const error_entry<Code> (&table)[N],
                                              Code code) noexcept {
  for (const auto& e : table)
    if (e.code == code)
      return &e;
  return nullptr;
}

/// Returns the name of `code`, or "unknown".
template <class Code, std::size_t N>
constexpr std::string_view error_name(const error_entry<Code> (&table)[N], Code code) noexcept {
  const auto* const e = find_error(table, code);
  return e != nullptr ? e->name : "unknown";
}

/// The category of the codes of a table.
///
/// Lifetime: static, as the table that it refers to.
template <class Code, std::size_t N>
class error_table_category : public std::error_category {
public:
  constexpr error_table_category(const char* name, const error_entry<Code> (&table)[N]) noexcept
    : name_(name), table_(table) {}

  const char* name() const noexcept final { return name_; }

  std::string message(int value) const final {
    const auto* const e = find_error(table_, static_cast<Code>(value));
    return e != nullptr ? std::string{e->text} : "unknown error " + std::to_string(value);
  }

private:
  const char* const name_;
  const error_entry<Code> (&table_)[N];
};

} // namespace troupe::detail
