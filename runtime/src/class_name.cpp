#include <troupe/runtime/detail/class_name.hpp>

#include <cstdlib>
#include <memory>

#include <cxxabi.h>

namespace troupe {

std::string detail::class_name(const std::type_info& type) {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> text{
    abi::__cxa_demangle(type.name(), nullptr, nullptr, &status), std::free};
  return status == 0 ? text.get() : type.name();
}

} // namespace troupe
