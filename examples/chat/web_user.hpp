#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <caf/actor.hpp>
#include <nlohmann/json.hpp>

#include <troupe/actors/topic.hpp>
#include <troupe/net/builder.hpp>
#include <troupe/runtime/runtime.hpp>
#include <troupe/websocket/websocket_protocol.hpp>

#include "chat.hpp"
#include "web_rooms.hpp"

/// Returns a message for a page as it is sent: text that is no UTF-8 is mended.
[[nodiscard]] std::string text_of(const nlohmann::json& message);

/// What the pages of this door share. Thread: loop 0.
struct web_door {
  web_door(troupe::runtime& of, chat_service s)
    : rt(of), service(std::move(s)), everybody(of),
      rooms([](const web_room& r, const nlohmann::json& message) {
        if (r.pages > 0)
          r.told.publish(text_of(message));
      }) {}

  /// Lets the pages in a room read lines.
  void said(const std::string& look, std::string_view lines) {
    const auto* const r = rooms.find(look);
    if (r != nullptr && r->pages > 0)
      r->told.publish(text_of(said_in(look, lines)));
  }

  static constexpr std::size_t listed = 200; ///< rooms

  troupe::runtime& rt;
  const chat_service service;
  const troupe::topic everybody; ///< those who have a name
  web_rooms rooms;
  caf::actor watcher; ///< hears for all pages what is said
};

/// Says how to build the WebSocket of a page, which speaks as `make_web_door` says.
///
/// Thread: loop 0. Lifetime: the pages keep `door`.
[[nodiscard]] troupe::builder<troupe::websocket_protocol>
build_web_user(std::shared_ptr<web_door> door);
