#pragma once

#include <troupe/net/open_stdio.hpp>

namespace troupe::detail {

/// Connects `p` to the descriptors; or ends it with `errc::not_connected`. Thread: that of `loop`,
/// which is the loop of `p`.
void open_stdio(event_loop& loop, protocol& p, const stdio_options& options);

} // namespace troupe::detail
