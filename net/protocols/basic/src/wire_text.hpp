#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace troupe::wire {

/// What the services say over TCP and UDP alike.
inline constexpr std::string_view usual_quote = "An apple a day keeps the doctor away.";

[[nodiscard]] std::string quote_line(std::string quote);
[[nodiscard]] std::string user_lines(const std::vector<std::string>& users);

} // namespace troupe::wire
