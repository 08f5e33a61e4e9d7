#include "web_door.hpp"

#include <chrono>
#include <memory>
#include <string_view>
#include <utility>

#include <troupe/http/http_router.hpp>
#include <troupe/http/http_server.hpp>
#include <troupe/http/static_files.hpp>
#ifdef WITH_HTTP2
#include <troupe/http2/http2_server.hpp>
#endif
#include <troupe/runtime/pinned_actor.hpp>
#include <troupe/websocket/websocket_acceptor.hpp>

#include "chat.hpp"
#include "user_registry.hpp"
#include "web_rooms.hpp"
#include "web_user.hpp"

namespace web_files {
std::string_view web_file(std::string_view name) noexcept; // made by troupe_web_files
}

namespace {

using namespace std::chrono_literals;

/// Hears for the door of what happens, and tells who wants to know which rooms there are.
class web_watcher : public troupe::pinned_actor {
public:
  web_watcher(caf::actor_config& cfg, std::weak_ptr<web_door> of, caf::actor users)
    : pinned_actor(cfg), door_(std::move(of)), users_(std::move(users)) {}

  caf::behavior make_behavior() override {
    send(users_, watch_atom::value);
    users_ = caf::actor{};
    const auto with = [this](auto fn) {
      if (const auto of = door_.lock())
        fn(*of);
      if (!due_.active())
        due_ = call_later(1s, [this] { tell_rooms(); });
    };
    return {
      [with](entered_atom, const std::string& name, const std::string& room) {
        with([&](web_door& d) { d.rooms.entered(name, room); });
      },
      [with](left_atom, const std::string& name, const std::string& room) {
        with([&](web_door& d) { d.rooms.left(name, room); });
      },
      [with](renamed_atom, const std::string& former, const std::string& name) {
        with([&](web_door& d) { d.rooms.renamed(former, name); });
      },
      [with](gone_atom, const std::string& name) {
        with([&](web_door& d) { d.rooms.gone(name); });
      },
      [this](const troupe::published& what) {
        if (const auto of = door_.lock())
          of->said(what.from.name(), what.bytes.text());
      },
    };
  }

private:
  void tell_rooms() {
    if (const auto of = door_.lock(); of && of->rooms.take_changed())
      of->everybody.publish(text_of(of->rooms.list(web_door::listed)));
  }

  const std::weak_ptr<web_door> door_;
  caf::actor users_; // until it was asked: it keeps a handle of this actor
  troupe::delayed_call due_;
};

// What a page may do is said by who serves it: no script but its own, no other site.
troupe::http_handler guarded(troupe::http_handler inner) {
  return [inner = std::move(inner)](troupe::http_request r) -> troupe::http_reply {
    return inner(std::move(r)).then([](troupe::http_response& made) {
      made.set("Content-Security-Policy",
               "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
               "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
      made.set("Referrer-Policy", "no-referrer");
      made.set("X-Content-Type-Options", "nosniff");
      made.set("Cache-Control", "no-cache");
    });
  };
}

// The files that are compiled in.
troupe::http_handler compiled_files() {
  return [](const troupe::http_request& r) -> troupe::http_reply {
    auto name = r.rest().substr(1);
    if (name.empty())
      name = "index.html";
    const auto text = web_files::web_file(name);
    if (text.empty())
      return troupe::http_response{404, "There is no such page.\n"};
    if (r.method() != "GET" && r.method() != "HEAD")
      return troupe::http_response{405, "There is only GET.\n"}.set("Allow", "GET, HEAD");
    return troupe::http_response{200, std::string{text}, troupe::http_content_type(name)};
  };
}

} // namespace

troupe::factory_ref make_web_door(troupe::runtime& rt, const chat_service& service,
                                  const std::string& web_root) {
  const auto door = std::make_shared<web_door>(rt, service);
  door->watcher = rt.spawn_on<web_watcher>(0, std::weak_ptr<web_door>{door}, service.users);
  troupe::websocket_server_options options;
  options.socket.limits.max_message = 16 * 1024;
  troupe::http_router site;
  site.get("/chat", troupe::websocket_acceptor{options}.handler(build_web_user(door)));
  site.mount("/", guarded(web_root.empty() ? compiled_files() : troupe::static_files(web_root)));
#ifdef WITH_HTTP2
  return troupe::http2_server(site.handler()); // the page's WebSocket is a stream of its connection
#else
  return troupe::http_server(site.handler());
#endif
}

std::vector<std::string> web_door_protocols() {
#ifdef WITH_HTTP2
  return troupe::http2_alpn();
#else
  return {"http/1.1"};
#endif
}
