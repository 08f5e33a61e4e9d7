#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <troupe/http2/http2_client.hpp>
#include <troupe/http2/http2_server.hpp>

#include "../http/http_agent_fixture.hpp"
#include "http2_exchange.hpp"

namespace troupe::testing {

/// An agent which speaks HTTP/2 at once, a scripted server at port 80, and one of ours at port 81.
struct http2_agent_fixture : agent_fixture {
  explicit http2_agent_fixture(http_handler handler = {}, http2_client_options two = {},
                               http_agent_options o = {}, http2_options of_server = {},
                               http_server_options server_options = {})
    : agent_fixture(with(std::move(o), two)) {
    if (handler)
      net.listen(81, http2_server(std::move(handler), std::move(server_options), of_server));
  }

  static http_agent_options with(http_agent_options o, http2_client_options two) {
    two.prior_knowledge = true;
    o.http2 = http2_client(two);
    return o;
  }

  /// Begins a request by hand, and lets it arrive.
  canceller ask(http_client_request r, const result& into) {
    auto c = begin(std::move(r), into);
    net.flush();
    return c;
  }

  /// Returns the frames that the scripted server's latest connection heard, and forgets them.
  std::vector<frames::seen> frames_heard() {
    auto& heard = server.peers.back()->heard;
    std::string_view rest = heard;
    if (rest.starts_with(frames::preface))
      rest.remove_prefix(frames::preface.size());
    auto all = frames::split(rest);
    heard.clear();
    return all;
  }

  /// Returns what of it says that something is wrong.
  std::vector<std::string> errors_heard() {
    auto& heard = server.peers.back()->heard;
    std::string_view rest = heard;
    if (rest.starts_with(frames::preface))
      rest.remove_prefix(frames::preface.size());
    auto all = frames::errors(rest);
    heard.clear();
    return all;
  }

  /// Returns how many bytes of bodies the scripted server has heard on a stream.
  std::size_t data_heard(std::uint32_t stream) {
    std::size_t size = 0;
    for (const auto& f : frames_heard())
      size += f.type == NGHTTP2_DATA && f.stream == stream ? f.payload.size() : 0;
    return size;
  }
};

namespace frames {

/// The head of a response.
inline std::string answer(std::uint32_t stream, std::string_view more = {}, bool end = true,
                          std::string_view status = "200") {
  return headers(stream, literal(":status", status) + std::string{more}, end);
}
inline std::string data(std::uint32_t stream, std::string_view text, bool end = true) {
  return frame(NGHTTP2_DATA, end ? 1 : 0, stream, text);
}
inline std::string rst(std::uint32_t stream, std::uint32_t code) {
  return frame(NGHTTP2_RST_STREAM, 0, stream, number(code, 4));
}
inline std::string goaway(std::uint32_t last, std::uint32_t code = NGHTTP2_NO_ERROR) {
  return frame(NGHTTP2_GOAWAY, 0, 0, number(last, 4) + number(code, 4));
}
inline std::string setting(int id, std::uint32_t value) {
  return settings(number(static_cast<std::uint64_t>(id), 2) + number(value, 4));
}

} // namespace frames

} // namespace troupe::testing
