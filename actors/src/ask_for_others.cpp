#include <troupe/actors/ask.hpp>

#include <asio/execution_context.hpp>

#include <troupe/runtime/runtime.hpp>

namespace troupe::detail {

namespace {

class asker final : public pinned_actor {
public:
  using pinned_actor::pinned_actor;
  caf::behavior make_behavior() override {
    return {[](caf::unit_t) {
    }};
  }
  const char* name() const override { return "asker"; }
};

/// Keeps a runtime's asker at its first loop.
class asker_service final : public asio::execution_context::service {
public:
  using key_type = asker_service;
  static inline asio::execution_context::id id;
  explicit asker_service(asio::execution_context& context) : service(context) {}
  caf::actor actor;

private:
  void shutdown() override { actor = {}; }
};

} // namespace

void ask_for_others(runtime& rt, const std::function<void(basic_actor*)>& ask) {
  rt.scheduler().loop(0).expect_here("ask", "use call_from_thread");
  auto& service = asio::use_service<asker_service>(rt.scheduler().loop(0).io());
  if (!service.actor)
    service.actor = rt.spawn_on<asker>(0);
  auto& self = *static_cast<asker*>(caf::actor_cast<caf::abstract_actor*>(service.actor));
  bool asked = false;
  self.enter([&] {
    asked = true;
    ask(&self);
  });
  if (!asked)
    ask(nullptr);
}

} // namespace troupe::detail
