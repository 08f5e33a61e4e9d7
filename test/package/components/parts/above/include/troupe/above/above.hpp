#pragma once

#include <troupe/below/below.hpp>

namespace troupe {

int above();

} // namespace troupe
