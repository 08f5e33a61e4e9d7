// Writes back what it gets (RFC 862).
//
//   $ build/release/examples/echo_server --port 8007     $ nc 127.0.0.1 8007
//   echo_server listens on 127.0.0.1:8007                hello
//                                                        hello
//
// Ctrl-C stops it. `--help` lists the options.

#include "server_program.hpp"

// Who sends and does not read is not read from either: what it has not taken stays small.
class echo : public troupe::protocol, private troupe::producer {
public:
  using protocol::protocol;

  void connection_made() override { transport().register_producer(*this, true); }
  void data_received(troupe::bytes_view data) override { transport().write(data); }

private:
  void pause_producing() override { transport().pause_producing(); }
  void resume_producing() override { transport().resume_producing(); }
  void stop_producing() override {}

  void stop_requested() override {
    if (connected())
      transport().unregister_producer(); // the connection would wait for more output
    protocol::stop_requested();
  }
};

int main(int argc, char** argv) {
  return server_program::run(argc, argv, "echo_server", "Writes back what it gets.", 8007,
                             [](auto&) { return troupe::factory::for_protocol<echo>(); });
}
