// Messages of actors that come from other nodes: read, and what was read is written and read again.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include <caf/actor_system_config.hpp>
#include <caf/meta/type_name.hpp>

#include <troupe/runtime/runtime.hpp>

#include <troupe/cluster/detail/message_codec.hpp>

namespace {

struct sample {
  std::string name;
  std::vector<bool> flags;
  std::map<std::string, std::vector<double>> series;
  std::vector<sample> below;
  long double wide = 0;
};
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, sample& x) {
  return f(caf::meta::type_name("sample"), x.name, x.flags, x.series, x.below, x.wide);
}

void must(bool holds) {
  if (!holds)
    std::abort();
}

caf::actor_system& system_of_types() {
  static troupe::runtime rt{
    {.install_signal_handlers = false, .configure = [](caf::actor_system_config& config) {
       config.add_message_type<sample>("sample");
     }}};
  return rt.system();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace troupe;
  auto& system = system_of_types();
  const auto got = detail::read_message(system, {reinterpret_cast<const std::byte*>(data), size});
  if (!got || got->empty())
    return 0;
  std::string once, twice;
  if (const auto why = detail::write_message(once, system, *got->cvals())) {
    must(why.check(errc::not_supported)); // deeper than what may be sent
    return 0;
  }
  const auto again = detail::read_message(system, as_bytes(once));
  must(again.has_value());
  must(!detail::write_message(twice, system, *again->cvals()));
  must(once == twice);
  return 0;
}
