#include <troupe/nats/embedded_nats_server.hpp>

#include <filesystem>
#include <future>
#include <limits>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include <troupe/actors/root_supervisor.hpp>
#include <troupe/runtime/runtime.hpp>
#include <troupe/runtime/threads.hpp>

#include "temporary_store.hpp"

namespace troupe {

namespace {

runtime_options keeper_options(const embedded_nats_options& o) {
  const auto patience = o.server.kill_after;
  return {.loops = 1,
          .grace = patience > duration::max() - child_spec::default_shutdown
                     ? duration::max()
                     : patience + child_spec::default_shutdown,
          .install_signal_handlers = false,
          .logger = o.logger};
}

} // namespace

struct embedded_nats_server::parts {
  explicit parts(embedded_nats_options options)
    : wanted(std::move(options)), rt(keeper_options(wanted)) {
    if (wanted.server.store_directory.empty() && wanted.temporary_store) {
      store.emplace(std::filesystem::temp_directory_path().string());
      wanted.server.store_directory = store->path() + "/jetstream";
    }
    wanted.server.restart = restart_type::permanent;
    wanted.server.started = [this, told = std::move(wanted.server.started)](const auto& where) {
      {
        const std::lock_guard hold{mutex};
        address = where;
      }
      if (told)
        told(where);
    };
    const auto keeper = root_supervisor(
      rt,
      {.name = "embedded",
       .intensity = std::numeric_limits<std::size_t>::max(), // what waits between is the back-off
       .backoff = {.initial = std::chrono::milliseconds(100), .max = std::chrono::seconds(10)}});
    auto spec = nats_server_child(rt, "nats-server", wanted.server);
    std::promise<void> runs;
    rt.reactor().call_when_running([&runs] { runs.set_value(); });
    thread = std::thread([this] { rt.run(); });
    runs.get_future().wait();
    try {
      blocking_call_from_thread(rt.reactor(), [&] {
        return keeper->start_child(std::move(spec)).add_callback([](auto) {});
      });
    } catch (...) {
      stop();
      throw;
    }
  }

  ~parts() { stop(); }

  void stop() {
    if (!thread.joinable())
      return;
    rt.reactor().call_from_thread([this] {
      try {
        rt.stop();
      } catch (const reactor_not_running&) { // it gave up
      }
    });
    thread.join();
  }

  embedded_nats_options wanted;
  std::optional<detail::temporary_store>
    store; // goes behind the runtime, and so when nobody writes there
  mutable std::mutex mutex;
  nats_server_address address; // under `mutex`
  runtime rt;
  std::thread thread; // of `rt`
};

embedded_nats_server::embedded_nats_server(embedded_nats_options options)
  : parts_(std::make_unique<parts>(std::move(options))) {}

embedded_nats_server::~embedded_nats_server() = default;

nats_server_address embedded_nats_server::address() const {
  const std::lock_guard hold{parts_->mutex};
  return parts_->address;
}

const std::string& embedded_nats_server::store_directory() const noexcept {
  return parts_->wanted.server.store_directory;
}

} // namespace troupe
