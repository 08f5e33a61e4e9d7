#include "log.hpp"

#include <typeinfo>

#include <cxxabi.h>

namespace troupe::detail {

std::string describe(const std::exception_ptr& e) {
  try {
    std::rethrow_exception(e);
  } catch (const std::exception& x) {
    int status = 0;
    char* name = abi::__cxa_demangle(typeid(x).name(), nullptr, nullptr, &status);
    std::string text = status == 0 ? name : typeid(x).name();
    std::free(name);
    return text + ": " + x.what();
  } catch (...) {
    return "an exception of an unknown type";
  }
}

void log_uncaught(spdlog::logger& logger, const char* owner) noexcept {
  try {
    logger.error("unhandled exception in {}: {}", owner, describe(std::current_exception()));
  } catch (...) {
    // Nothing is left that could be told to anybody.
  }
}

} // namespace troupe::detail
