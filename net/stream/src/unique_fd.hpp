#pragma once

#include <troupe/net/file_descriptor.hpp>

namespace troupe::detail {

using unique_fd = file_descriptor;

} // namespace troupe::detail
