#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <caf/atom.hpp>
#include <caf/send.hpp>

#include <troupe/actors/topic.hpp>
#include <troupe/runtime/floating_actor.hpp>
#include <troupe/runtime/pinned_actor.hpp>
#include <troupe/testing/manual_runtime.hpp>

namespace troupe::testing {

using go_atom = caf::atom_constant<caf::atom("go")>;

/// Writes down what it is sent, and then does what the test wants.
template <class Base>
class reader : public Base {
public:
  using action = std::function<void(reader&)>;
  reader(caf::actor_config& cfg, std::vector<std::string>* heard, action on_published = {})
    : Base(cfg), heard_(heard), on_published_(std::move(on_published)) {}

  caf::behavior make_behavior() override {
    return {[this](const published& p) {
      heard_->emplace_back(p.bytes.text());
      if (on_published_)
        on_published_(*this);
    }};
  }

private:
  std::vector<std::string>* heard_;
  action on_published_;
};

using pinned_reader = reader<pinned_actor>;
using floating_reader = reader<floating_actor>;

/// Has a transport as a protocol has, which keeps what is written, up to a limit.
class fake_connection : public pinned_actor {
public:
  struct output {
    std::string written;
    std::size_t limit = SIZE_MAX;
    std::uint64_t refused = 0;
    bool closing = false;
    std::function<void()> on_write;
    void write(const shared_bytes& bytes) {
      if (written.size() + bytes.size() > limit)
        return void(++refused);
      written += bytes.text();
      if (on_write)
        on_write();
    }
    [[nodiscard]] std::uint64_t refused_writes() const { return refused; }
    [[nodiscard]] bool disconnecting() const { return closing; }
  };

  fake_connection(caf::actor_config& cfg, output* out) : pinned_actor(cfg), out_(out) {}
  caf::behavior make_behavior() override {
    return {[](go_atom) {
    }};
  }
  [[nodiscard]] bool connected() const { return true; }
  [[nodiscard]] output& transport() const { return *out_; }

private:
  output* out_;
};

struct topic_fixture {
  manual_runtime rt;
  topic room{rt};

  caf::actor connect(fake_connection::output& out) {
    auto handle = rt.spawn_on<fake_connection>(0, &out);
    rt.settle();
    rt.in_turn([&] { room.subscribe(&connection(handle)); });
    return handle;
  }
  static fake_connection& connection(const caf::actor& a) {
    return *static_cast<fake_connection*>(caf::actor_cast<caf::abstract_actor*>(a));
  }
  // As the loop's own code, whether or not anything is on its way to the loop.
  template <class F>
  void run(F fn) {
    rt.in_turn(fn);
    rt.settle();
  }
  void end(const caf::actor& a) {
    caf::anon_send_exit(a, caf::exit_reason::user_shutdown);
    rt.settle();
  }
  void publish(std::string_view text, except left_out = {}) {
    run([&] { room.publish(text, left_out); });
  }
};

} // namespace troupe::testing
