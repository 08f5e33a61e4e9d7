#pragma once

#include <string>
#include <utility>
#include <vector>

#include <troupe/actors/ask.hpp>
#include <troupe/actors/topics.hpp>
#include <troupe/net/printable.hpp>
#include <troupe/net/text_line_receiver.hpp>
#include <troupe/net/timeout_mixin.hpp>
#include <troupe/runtime/coroutine.hpp>
#include <troupe/runtime/names.hpp>

#include "registry.hpp"

/// One user: first a name, then lines for the room, or commands.
class chat : public troupe::timeout_mixin<troupe::text_line_receiver> {
public:
  chat(caf::actor_config& cfg, troupe::named_actor users, troupe::topics rooms)
    : timeout_mixin(cfg), users_(std::move(users)), rooms_(std::move(rooms)) {}

  // [idle]
  void connection_made() override {
    set_timeout(std::chrono::minutes(10));
    send_line("What's your name?");
  }

  void timeout_connection() override {
    send_line("You have been silent for too long. Goodbye.");
    timeout_mixin::timeout_connection();
  }
  // [/idle]

  // [lines]
  void line_received(std::string_view line) override {
    reset_timeout();
    std::string text = troupe::printable(line);
    if (name_.empty())
      log_in(std::move(text));
    else if (text == "/who")
      who();
    else if (text.starts_with("/join "))
      join(text.substr(6));
    else
      say("<" + name_ + "> " + text);
  }

  void line_too_long() override { send_line("Line too long, it was left out."); }
  // [/lines]

  void connection_lost(const troupe::failure&) override {
    if (!name_.empty())
      say("* " + name_ + " has left");
  }

private:
  // [log_in]
  troupe::deferred<void> log_in_as(std::string name) {
    const bool granted =
      co_await troupe::ask<bool>(*this, users_, std::chrono::seconds(5), claim_atom::value, name);
    if (!granted) {
      send_line("Name taken, please choose another.");
      co_return;
    }
    name_ = std::move(name);
    send_line("Welcome, " + name_ + "!");
    join("lobby");
  }

  void log_in(std::string name) {
    if (name.empty())
      return send_line("What's your name?");
    one_at_a_time(log_in_as(std::move(name)));
  }

  /// Takes no line until `work` is done; what fails there ends the connection.
  void one_at_a_time(troupe::deferred<void> work) {
    pause_lines();
    std::move(work)
      .add_callback([this] { resume_lines(); })
      .add_errback([this](const troupe::failure& why) { lose_connection(why); });
  }
  // [/log_in]

  void who() { one_at_a_time(tell_who()); }

  troupe::deferred<void> tell_who() {
    const auto names = co_await troupe::ask<std::vector<std::string>>(
      *this, users_, std::chrono::seconds(5), who_atom::value);
    std::string line = "Here are:";
    for (const auto& name : names)
      line += " " + name;
    send_line(line);
  }

  // [rooms]
  void join(const std::string& room) {
    if (room_) {
      say("* " + name_ + " has gone to " + room);
      room_.unsubscribe(this);
    }
    room_ = rooms_.get(room);
    room_.subscribe(this);
    say("* " + name_ + " has come");
    send_line("You are in " + room + ".");
  }

  void say(const std::string& text) const { room_.publish(text + "\r\n", troupe::except{this}); }
  // [/rooms]

  const troupe::named_actor users_;
  const troupe::topics rooms_;
  troupe::topic room_;
  std::string name_;
};
