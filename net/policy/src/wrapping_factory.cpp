#include <troupe/net/wrapping_factory.hpp>

namespace troupe {

wrapping_factory::wrapping_factory(caf::actor_config& cfg, factory_ref inner)
  : super(cfg), inner_(std::move(inner)) {
  inner_.start(system(), loop());
}

std::unique_ptr<protocol_wrapper> wrapping_factory::make_wrapper() {
  return std::make_unique<protocol_wrapper>();
}

bool wrapping_factory::admits(const net_address&) {
  return true;
}

void wrapping_factory::start_factory() {
  wrapped_factory().begin_use();
}

void wrapping_factory::stop_factory() {
  wrapped_factory().do_stop();
}

protocol_ptr wrapping_factory::build_protocol(const net_address& peer) {
  if (!admits(peer))
    return nullptr;
  return wrap_protocol_of(wrapped_factory(), peer);
}

protocol_ptr wrapping_factory::wrap_protocol_of(troupe::factory& f, const net_address& peer) {
  auto wrapper = make_wrapper(); // first: if it throws, nothing is built
  protocol_ptr built;
  f.enter([&] { built = f.build(peer, connection_loop()); });
  if (built)
    built->wrap(std::move(wrapper));
  return built;
}

bool wrapping_factory::has_room() const noexcept {
  return super::has_room() && wrapped_factory().has_room();
}

void wrapping_factory::when_room(task fn) {
  if (super::has_room())
    wrapped_factory().when_room(std::move(fn));
  else
    super::when_room(std::move(fn));
}

} // namespace troupe
