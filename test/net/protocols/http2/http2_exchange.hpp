#pragma once

#include <algorithm>
#include <cstdint>
#include <ctime>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nghttp2/nghttp2.h>

#include <troupe/http/detail/http_exchange.hpp>
#include <troupe/http2/http2_server.hpp>
#include <troupe/testing/protocol_fixture.hpp>

#include "http2_connection.hpp"
#include "http_connection.hpp"

namespace troupe::testing {

/// The frames of HTTP/2, by hand.
namespace frames {

inline const std::string preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

inline std::string number(std::uint64_t n, int bytes) {
  std::string text;
  for (int i = bytes - 1; i >= 0; --i)
    text += static_cast<char>(n >> (8 * i) & 0xff);
  return text;
}

inline std::string frame(int type, int flags, std::uint32_t stream, std::string_view payload = {}) {
  return number(payload.size(), 3) + static_cast<char>(type) + static_cast<char>(flags)
         + number(stream, 4) + std::string{payload};
}

/// A field that HPACK leaves as it is, and does not keep (RFC 7541, 6.2.2), of up to 126 bytes each.
inline std::string literal(std::string_view name, std::string_view value) {
  return std::string(1, '\0') + static_cast<char>(name.size()) + std::string{name}
         + static_cast<char>(value.size()) + std::string{value};
}

/// The head of a request for "/" by this method: pseudo fields alone.
inline std::string head(std::string_view method = "GET", std::string_view path = "/") {
  return literal(":method", method) + literal(":scheme", "http") + literal(":path", path)
         + literal(":authority", "a");
}

inline std::string headers(std::uint32_t stream, std::string_view block, bool end = true,
                           bool whole = true) {
  return frame(NGHTTP2_HEADERS, (end ? 1 : 0) | (whole ? 4 : 0), stream, block);
}

inline std::string settings(std::string_view entries = {}) {
  return frame(NGHTTP2_SETTINGS, 0, 0, entries);
}

struct seen {
  int type;
  int flags;
  std::uint32_t stream;
  std::string payload;
};

inline std::uint32_t number_at(std::string_view text, std::size_t at, int bytes = 4) {
  std::uint32_t n = 0;
  for (int i = 0; i < bytes; ++i)
    n = n << 8 | static_cast<unsigned char>(text.at(at + static_cast<std::size_t>(i)));
  return n;
}

/// Takes the frames off the front of `text`.
inline std::vector<seen> split(std::string_view text) {
  std::vector<seen> all;
  while (text.size() >= 9) {
    const auto size = number_at(text, 0, 3);
    all.push_back({text[3], text[4], number_at(text, 5), std::string{text.substr(9, size)}});
    text.remove_prefix(std::min<std::size_t>(9 + size, text.size()));
  }
  return all;
}

/// Shows those that say that something is wrong: "RST 1 PROTOCOL_ERROR", "GOAWAY PROTOCOL_ERROR".
inline std::vector<std::string> errors(std::string_view text) {
  std::vector<std::string> all;
  for (const auto& f : split(text))
    if (f.type == NGHTTP2_RST_STREAM)
      all.push_back("RST " + std::to_string(f.stream) + ' '
                    + nghttp2_http2_strerror(number_at(f.payload, 0)));
    else if (f.type == NGHTTP2_GOAWAY)
      all.push_back(std::string{"GOAWAY "} + nghttp2_http2_strerror(number_at(f.payload, 4)));
  return all;
}

} // namespace frames

/// A connection of a server in memory, which speaks both versions.
struct http2_wire : protocol_fixture<http_connection> {
  explicit http2_wire(http_handler handler, http_server_options options = {},
                      http2_options http2 = {})
    : protocol_fixture(service(std::move(handler), std::move(options), http2)) {}

  static std::shared_ptr<const troupe::detail::http_service>
  service(http_handler handler, http_server_options options, http2_options http2) {
    if (!options.wall_clock)
      options.wall_clock = [] {
        return std::time_t{784111777};
      };
    auto made = std::make_shared<troupe::detail::http_service>();
    made->handler = std::move(handler);
    made->options = std::move(options);
    made->http2 = [http2](protocol& carrier,
                          std::shared_ptr<const troupe::detail::http_service> of) {
      return std::make_unique<http2_connection>(carrier, std::move(of), http2);
    };
    return made;
  }

  /// Returns what was sent since the last call.
  std::string take() {
    auto text = transport.value();
    transport.clear();
    return text;
  }

  [[nodiscard]] bool closing() const {
    return transport.disconnecting() || transport.write_closed() || transport.aborting();
  }
};

/// The same with a client, nghttp2's, at the other end.
class http2_exchange {
public:
  struct answer {
    std::map<std::string, std::string> head;
    std::map<std::string, std::string> trailers;
    std::string body;
    int continues = 0; // 100
    bool whole = false;
    bool closed = false;
    std::uint32_t code = 0;
    [[nodiscard]] std::string status() const {
      const auto at = head.find(":status");
      return at == head.end() ? "" : at->second;
    }
  };
  using fields = std::vector<std::pair<std::string, std::string>>;

  explicit http2_exchange(http_handler handler, http_server_options options = {},
                          http2_options http2 = {},
                          std::vector<nghttp2_settings_entry> settings = {})
    : wire(std::move(handler), std::move(options), http2) {
    nghttp2_session_callbacks* c = nullptr;
    nghttp2_session_callbacks_new(&c);
    nghttp2_session_callbacks_set_on_header_callback(
      c, [](nghttp2_session*, const nghttp2_frame* f, const std::uint8_t* n, std::size_t ns,
            const std::uint8_t* v, std::size_t vs, std::uint8_t, void* p) {
        auto& a = static_cast<http2_exchange*>(p)->answers[f->hd.stream_id];
        const std::string name{reinterpret_cast<const char*>(n), ns};
        const std::string value{reinterpret_cast<const char*>(v), vs};
        if (name == ":status" && value == "100")
          ++a.continues;
        else if (a.head.count(":status") != 0 && f->headers.cat == NGHTTP2_HCAT_HEADERS
                 && name != ":status" && a.head_whole)
          a.trailers[name] = value;
        else
          a.head[name] = value;
        return 0;
      });
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
      c, [](nghttp2_session*, std::uint8_t, std::int32_t s, const std::uint8_t* d, std::size_t n,
            void* p) {
        auto& me = *static_cast<http2_exchange*>(p);
        me.answers[s].body.append(reinterpret_cast<const char*>(d), n);
        me.order += std::to_string(s) + ' ';
        return 0;
      });
    nghttp2_session_callbacks_set_on_frame_recv_callback(
      c, [](nghttp2_session*, const nghttp2_frame* f, void* p) {
        auto& me = *static_cast<http2_exchange*>(p);
        if (f->hd.type == NGHTTP2_HEADERS || f->hd.type == NGHTTP2_DATA) {
          auto& a = me.answers[f->hd.stream_id];
          a.head_whole = a.head.count(":status") != 0;
          a.whole = a.whole || (f->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
        } else if (f->hd.type == NGHTTP2_GOAWAY) {
          me.goodbyes.push_back({f->goaway.last_stream_id, f->goaway.error_code});
        }
        return 0;
      });
    nghttp2_session_callbacks_set_on_stream_close_callback(
      c, [](nghttp2_session*, std::int32_t s, std::uint32_t code, void* p) {
        auto& a = static_cast<http2_exchange*>(p)->answers[s];
        a.closed = true;
        a.code = code;
        return 0;
      });
    nghttp2_option* o = nullptr;
    nghttp2_option_new(&o);
    nghttp2_option_set_no_auto_window_update(o, 1);
    nghttp2_session_client_new2(&client, c, this, o);
    nghttp2_option_del(o);
    nghttp2_session_callbacks_del(c);
    nghttp2_submit_settings(client, 0, settings.data(), settings.size());
    turn();
  }
  ~http2_exchange() { nghttp2_session_del(client); }
  http2_exchange(const http2_exchange&) = delete;
  http2_exchange& operator=(const http2_exchange&) = delete;

  /// Makes a request; a body that is not there yet comes by `send`.
  std::int32_t ask(std::string method, std::string path, fields more = {}, bool with_body = false) {
    fields all{{":method", std::move(method)},
               {":scheme", "http"},
               {":path", std::move(path)},
               {":authority", "a"}};
    all.insert(all.end(), more.begin(), more.end());
    const auto list = made_of(all);
    nghttp2_data_provider provider{};
    provider.read_callback = [](nghttp2_session*, std::int32_t s, std::uint8_t* into,
                                std::size_t most, std::uint32_t* flags, nghttp2_data_source*,
                                void* p) -> ssize_t {
      auto& up = static_cast<http2_exchange*>(p)->uploads[s];
      if (up.text.empty() && !up.ended)
        return NGHTTP2_ERR_DEFERRED;
      const auto size = std::min(most, up.text.size());
      up.text.copy(reinterpret_cast<char*>(into), size);
      up.text.erase(0, size);
      if (up.text.empty() && up.ended) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        if (!up.trailers.empty()) {
          *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
          const auto behind = made_of(up.trailers);
          nghttp2_submit_trailer(static_cast<http2_exchange*>(p)->client, s, behind.data(),
                                 behind.size());
        }
      }
      return static_cast<ssize_t>(size);
    };
    return nghttp2_submit_request(client, nullptr, list.data(), list.size(),
                                  with_body ? &provider : nullptr, nullptr);
  }

  /// Makes one without a body, and lets it be answered.
  answer& get(std::string path = "/", fields more = {}) {
    const auto s = ask("GET", std::move(path), std::move(more));
    turn();
    return answers[s];
  }

  void send(std::int32_t stream, std::string text, bool ended, fields trailers = {}) {
    auto& up = uploads[stream];
    up.text += text;
    up.ended = ended;
    up.trailers = std::move(trailers);
    nghttp2_session_resume_data(client, stream);
    turn();
  }

  void reset(std::int32_t stream, std::uint32_t code = NGHTTP2_CANCEL) {
    nghttp2_submit_rst_stream(client, 0, stream, code);
    turn();
  }

  /// Opens the client's windows.
  void read(std::int32_t stream, std::size_t size) {
    nghttp2_session_consume(client, stream, size);
    turn();
  }

  /// Lets both say what they have to, until they are silent.
  void turn() {
    for (;;) {
      const auto out = said_by_client();
      if (!out.empty())
        wire.deliver(out);
      const auto in = wire.take();
      if (!in.empty())
        nghttp2_session_mem_recv(client, reinterpret_cast<const std::uint8_t*>(in.data()),
                                 in.size());
      if (out.empty() && in.empty())
        return;
    }
  }

  std::string said_by_client() {
    std::string all;
    for (const std::uint8_t* data = nullptr;;) {
      const auto n = nghttp2_session_mem_send(client, &data);
      if (n <= 0)
        return all;
      all.append(reinterpret_cast<const char*>(data), static_cast<std::size_t>(n));
    }
  }

  struct upload {
    std::string text;
    bool ended = false;
    fields trailers;
  };
  struct kept_answer : answer {
    bool head_whole = false;
  };

  http2_wire wire;
  std::map<std::int32_t, kept_answer> answers;
  std::map<std::int32_t, upload> uploads;
  std::vector<std::pair<std::int32_t, std::uint32_t>> goodbyes; // last stream, code
  std::string order;                                            // of the streams of data
  nghttp2_session* client = nullptr;

private:
  static std::vector<nghttp2_nv> made_of(const fields& of) {
    std::vector<nghttp2_nv> list;
    for (const auto& [n, v] : of)
      list.push_back({reinterpret_cast<std::uint8_t*>(const_cast<char*>(n.data())),
                      reinterpret_cast<std::uint8_t*>(const_cast<char*>(v.data())), n.size(),
                      v.size(), NGHTTP2_NV_FLAG_NONE});
    return list;
  }
};

} // namespace troupe::testing
