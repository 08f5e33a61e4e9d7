#pragma once

namespace troupe {

/// Stands for what people and programs end lines with: LF, or CR LF. See
/// `line_receiver::set_delimiter`.
struct any_line_end_t {
  explicit any_line_end_t() = default;
};
inline constexpr any_line_end_t any_line_end{};

} // namespace troupe
