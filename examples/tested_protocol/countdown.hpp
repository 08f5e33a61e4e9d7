#pragma once

#include <string>
#include <string_view>

#include <troupe/net/line_receiver.hpp>

/// Counts down for its client: a number comes, and one line a second goes.
class countdown : public troupe::line_receiver {
public:
  explicit countdown(caf::actor_config& cfg)
    : line_receiver(cfg), connected_at_(troupe::event_loop::now()) {}

  void line_received(std::string_view line) override {
    left_ =
      std::stoi(std::string{line}); // throws at what is no number, which closes the connection
    tick();
  }

  /// Says how long it was connected.
  [[nodiscard]] troupe::duration age() const { return troupe::event_loop::now() - connected_at_; }

protected:
  /// The runtime stops: what was promised is finished, and then the connection closed.
  void stop_requested() override {
    stopping_ = true;
    if (left_ == 0)
      line_receiver::stop_requested();
  }

private:
  void tick() {
    send_line(std::to_string(left_));
    if (left_ > 0)
      call_later(std::chrono::seconds(1), [this] {
        --left_;
        tick();
      });
    else if (stopping_)
      line_receiver::stop_requested();
  }

  const troupe::time_point connected_at_;
  int left_ = 0;
  bool stopping_ = false;
};
