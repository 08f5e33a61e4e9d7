#include <troupe/manhole/manhole.hpp>

#include <utility>

#include <unistd.h>

#include <troupe/net/listen_unix.hpp>
#include <troupe/telnet/telnet_lines_factory.hpp>

#include "console.hpp"

namespace troupe {

namespace {

class console_factory final : public factory {
public:
  console_factory(caf::actor_config& cfg, std::shared_ptr<const detail::manhole> of)
    : factory(cfg), of_(std::move(of)) {
    set_max_connections(32);
  }
  protocol_ptr build_protocol(const net_address&) override {
    return make_protocol<detail::console>(of_);
  }
  std::string log_prefix() const override { return "manhole"; }

private:
  const std::shared_ptr<const detail::manhole> of_;
};

} // namespace

factory_ref manhole_factory(runtime& rt, manhole_options options) {
  auto seen = options.seen ? *options.seen : observer{rt};
  const auto shared =
    std::make_shared<const detail::manhole>(detail::manhole{std::move(options), std::move(seen)});
  return factory::of<telnet_lines_factory>(factory::of<console_factory>(shared),
                                           telnet_lines_options{.prompt = ">>> "});
}

listening_port listen_manhole(runtime& rt, const std::string& path, manhole_options options) {
  return listen_unix(rt, path, manhole_factory(rt, std::move(options)), {.mode = 0600});
}

} // namespace troupe
