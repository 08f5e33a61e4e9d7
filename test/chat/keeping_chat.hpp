#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <troupe/history/memory_history.hpp>
#include <troupe/net/line_receiver.hpp>
#include <troupe/testing/memory_network.hpp>

#include "chat/chat.hpp"

namespace chat_test {

using strings = std::vector<std::string>;

/// A user of any door, and the lines that it was sent.
class user : public troupe::line_receiver {
public:
  using line_receiver::line_receiver;
  void line_received(std::string_view line) override { heard.emplace_back(line); }
  strings heard;
};

/// A chat that keeps what is said, or not, without a door.
struct keeping_chat {
  explicit keeping_chat(bool keeps)
    : kept(net.rt, std::make_shared<troupe::memory_history>()),
      service(net.rt, net.rt.spawn<user_registry>(), keeps ? &kept : nullptr) {}

  troupe::testing::memory_network net;
  troupe::kept_topics kept;
  chat_service service;
};

} // namespace chat_test
