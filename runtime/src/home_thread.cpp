#include <troupe/runtime/detail/home_thread.hpp>

#include <stdexcept>
#include <string>

namespace troupe::detail {

constinit thread_local char home_thread::self_ = 0;

void home_thread::refuse(const char* function, const char* instead) const {
#ifdef NDEBUG
  if (!checked_)
    return;
#endif
  throw std::logic_error(std::string(function) + ": this is not the thread of loop "
                         + std::to_string(loop_) + "; " + instead);
}

} // namespace troupe::detail
