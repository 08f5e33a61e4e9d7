#pragma once

#include <string>
#include <utility>

#include <troupe/actors/ask.hpp>
#include <troupe/net/printable.hpp>
#include <troupe/net/text_line_receiver.hpp>
#include <troupe/net/timeout_mixin.hpp>
#include <troupe/runtime/names.hpp>

#include "tally.hpp"

/// What one connection speaks: a word comes, and goes back with how often anybody has said it.
class @NAME@ : public troupe::timeout_mixin<troupe::text_line_receiver> {
public:
  @NAME@(caf::actor_config& cfg, troupe::named_actor words)
    : timeout_mixin(cfg), words_(std::move(words)) {}

  void connection_made() override {
    set_timeout(std::chrono::minutes(5)); // who is silent for so long is closed
    send_line("Hello. Say a word.");
  }

  void line_received(std::string_view line) override {
    reset_timeout();
    const std::string word = troupe::printable(line);
    pause_lines(); // one question at a time
    troupe::ask<std::uint64_t>(*this, words_, std::chrono::seconds(5), count_atom::value, word)
      .add_callback([this, word](std::uint64_t times) {
        send_line(word + ": " + std::to_string(times));
        resume_lines();
      })
      .add_errback([this](const troupe::failure& why) { lose_connection(why); });
  }

  void line_too_long() override { send_line("That is too long."); }

private:
  const troupe::named_actor words_;
};
