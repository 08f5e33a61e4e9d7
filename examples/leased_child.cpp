// A job that runs in one of several processes: start it in a few terminals, and kill, stop (Ctrl-Z) or end the one that works.
//
//   $ build/release/examples/leased_child --file /tmp/leases.db ann
//   $ build/release/examples/leased_child --file /tmp/leases.db bob
//
// With `--nats nats://127.0.0.1:4222` in place of the file, on several machines (`nats-server -js`).

#include <cstdio>
#include <memory>
#include <string>
#include <utility>

#include <troupe/actors/root_supervisor.hpp>
#include <troupe/leases/leased_child.hpp>
#include <troupe/sqlite_leases/sqlite_leases.hpp>
#ifdef WITH_JETSTREAM_LEASES
#include <troupe/jetstream_leases/jetstream_leases.hpp>
#endif

#include "command_line.hpp"

using namespace std::chrono_literals;

namespace {

/// Works once a second.
class job : public troupe::pinned_actor {
public:
  job(caf::actor_config& cfg, troupe::lease_view held)
    : pinned_actor(cfg), held_(std::move(held)) {}
  caf::behavior make_behavior() override {
    std::printf("it is our turn, with token %llu\n",
                static_cast<unsigned long long>(held_.token()));
    work();
    return {[](caf::unit_t) {
    }};
  }
  void on_exit() override {
    std::puts("it is not our turn any more");
    std::fflush(stdout);
    pinned_actor::on_exit();
  }

private:
  void work() {
    if (held_.held()) // after a pause of this process it may not be
      std::puts("working");
    std::fflush(stdout);
    call_later(1s, [this] { work(); });
  }
  const troupe::lease_view held_;
};

} // namespace

int main(int argc, char** argv) {
  std::string file;
  std::string server;
  troupe::leases_options options;
  CLI::App app{"A job that runs in one of several processes", "leased_child"};
  auto* const by_file = app.add_option("--file", file, "the file that they share");
  app.add_option("--nats", server, "or the server: nats://host:port")->excludes(by_file);
  app.add_option("name", options.node, "of this process")->required();
  if (const auto status = command_line::parse(app, argc, argv))
    return *status;
  try {
    troupe::lease_store_ref store;
    if (server.empty()) {
      troupe::sqlite_leases_options o;
      o.file = file;
      store = std::make_shared<troupe::sqlite_leases>(std::move(o));
    } else {
#ifdef WITH_JETSTREAM_LEASES
      troupe::jetstream_leases_options o;
      o.nats.servers = {server};
      store = std::make_shared<troupe::jetstream_leases>(std::move(o));
#else
      throw std::invalid_argument("--nats: this was built without NATS");
#endif
    }
    troupe::runtime rt{{.loops = 1}};
    troupe::leases locks{rt, std::move(store), std::move(options)};
    rt.reactor().call_when_running([&] {
      troupe::root_supervisor(rt)->start_child(
        troupe::leased_child(locks, "job", [](const troupe::lease_view& held) {
          troupe::child_spec child;
          child.id = "job";
          child.start = troupe::start_actor<job>(held);
          return child;
        }));
    });
    return rt.run().exit_code();
  } catch (const std::exception& e) { // a file or a name that cannot be
    std::fprintf(stderr, "leased_child: %s\n", e.what());
    return command_line::wrong_usage;
  }
}
