#pragma once

#include <string>
#include <typeinfo>

namespace troupe::detail {

/// Returns the name of a class as it is written in the source: "chat::user", with the arguments of a
/// template.
[[nodiscard]] std::string class_name(const std::type_info& type);

} // namespace troupe::detail
