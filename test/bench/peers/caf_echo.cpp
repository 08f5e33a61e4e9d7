// A peer of the echo benchmarks: one caf::io broker for each connection, as its manual has it.

#include <cstdio>

#include <caf/all.hpp>
#include <caf/io/all.hpp>

namespace {

caf::behavior connection(caf::io::broker* self, caf::io::connection_handle handle) {
  self->configure_read(handle, caf::io::receive_policy::at_most(65536));
  return {
    [=](const caf::io::new_data_msg& message) {
      self->write(message.handle, message.buf.size(), message.buf.data());
      self->flush(message.handle);
    },
    [=](const caf::io::connection_closed_msg&) { self->quit(); },
  };
}

caf::behavior server(caf::io::broker* self) {
  const auto port = self->add_tcp_doorman(0, "127.0.0.1", true);
  if (!port) {
    self->quit();
    return {};
  }
  std::printf("listens on 127.0.0.1:%d\n", port->second);
  std::fflush(stdout);
  return {
    [=](const caf::io::new_connection_msg& message) { self->fork(connection, message.handle); },
  };
}

} // namespace

int main() {
  caf::actor_system_config cfg;
  cfg.load<caf::io::middleman>();
  cfg.set("scheduler.max-threads", std::size_t{1});
  caf::actor_system sys{cfg};
  sys.middleman().spawn_broker(server);
  sys.await_all_actors_done();
}
