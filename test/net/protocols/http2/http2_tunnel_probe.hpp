#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <troupe/http/http_response.hpp>
#include <troupe/net/transport.hpp>

#include "http2_exchange.hpp"

// Streams that are taken over, as tests see them.

namespace troupe::testing::tunnels {

// What has taken a stream over, as a test sees it.
struct probe {
  transport* stream = nullptr; // while there is one
  std::string heard;
  std::size_t pieces = 0;
  int taken = 0;
  int lost = 0;
  int gone = 0;
  int told_to_stop = 0;
  failure reason;
  std::function<void(troupe::transport&)> begins;
  std::function<void(transport&, std::string_view)> hears;
};

class taker final : public http_upgraded {
public:
  explicit taker(probe& p) : p_(p) {}
  ~taker() override { ++p_.gone; }
  void taken_over(transport& t) override {
    ++p_.taken;
    p_.stream = &t;
    if (p_.begins)
      p_.begins(t);
  }
  void data_received(bytes_view data) override {
    p_.heard += as_text(data);
    ++p_.pieces;
    if (p_.hears)
      p_.hears(*p_.stream, as_text(data));
  }
  void connection_lost(const failure& why) override {
    ++p_.lost;
    p_.reason = why;
    p_.stream = nullptr;
  }
  void stop_requested(transport& t) override {
    ++p_.told_to_stop;
    http_upgraded::stop_requested(t);
  }

private:
  probe& p_;
};

inline http_response taken_by(probe& p) {
  return http_response::upgrade("other", std::make_unique<taker>(p)).set("X-Name", "value");
}

inline http_handler takes(probe& p) {
  return [&p](http_request) {
    return taken_by(p);
  };
}

inline std::int32_t open_tunnel(http2_exchange& t, std::string path = "/") {
  const auto s = t.ask("CONNECT", std::move(path), {{":protocol", "other"}}, true);
  t.turn();
  return s;
}

// The same by hand.
inline std::string connect(std::uint32_t stream, std::string_view protocol = "other",
                           bool end = false) {
  return frames::headers(stream, frames::head("CONNECT") + frames::literal(":protocol", protocol),
                         end);
}

inline std::string piece(std::uint32_t stream, std::string_view text, bool end = false) {
  return frames::frame(NGHTTP2_DATA, end ? 1 : 0, stream, text);
}

inline std::string said_on(std::uint32_t stream, std::string_view sent) {
  std::string all;
  for (const auto& f : frames::split(sent))
    if (f.type == NGHTTP2_DATA && f.stream == stream)
      all += f.payload;
  return all;
}

inline std::vector<nghttp2_settings_entry> window(std::uint32_t size) {
  return {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, size}};
}

// A producer that pushes, or is asked.
struct source final : producer {
  std::function<void()> resumed;
  int resumes = 0;
  int pauses = 0;
  int stops = 0;
  void resume_producing() override {
    ++resumes;
    if (resumed)
      resumed();
  }
  void pause_producing() override { ++pauses; }
  void stop_producing() override { ++stops; }
};

} // namespace troupe::testing::tunnels
