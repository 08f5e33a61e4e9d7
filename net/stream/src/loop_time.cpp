#include "loop_time.hpp"

#include <stdexcept>

#include <asio/execution_context.hpp>
#include <asio/io_context.hpp>

namespace troupe::detail {

namespace {

class loop_time final : public clock {
public:
  explicit loop_time(event_loop& loop) : loop_(loop) {}

  [[nodiscard]] time_point now() const override { return loop_.time(); }

  delayed_call call_later(duration delay, task fn) override {
    if (delay < duration::zero())
      throw std::logic_error("call_later: the delay is negative");
    return loop_.timers().add(saturating_add(now(), delay), std::move(fn));
  }

  [[nodiscard]] std::vector<delayed_call> get_delayed_calls() const override {
    return loop_.timers().pending();
  }

private:
  event_loop& loop_;
};

/// Keeps a loop's clock at its Asio context.
class clock_service final : public asio::execution_context::service {
public:
  using key_type = clock_service; // as Asio wants it
  static inline asio::execution_context::id id;
  explicit clock_service(asio::execution_context& context) : service(context) {}
  std::optional<loop_time> made;

private:
  void shutdown() override {}
};

} // namespace

clock& clock_of(event_loop& loop) {
  auto& service = asio::use_service<clock_service>(loop.io());
  if (!service.made)
    service.made.emplace(loop);
  return *service.made;
}

} // namespace troupe::detail
