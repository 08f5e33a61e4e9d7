#include <troupe/net/detail/request_core.hpp>

#include "connecting.hpp"
#include "loop_time.hpp"

namespace troupe::detail {

request_home request_home_of(runtime& rt) {
  auto& loop = place_of(rt, current_loop).loop;
  return {loop, clock_of(loop)};
}

} // namespace troupe::detail
