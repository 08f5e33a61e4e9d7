// Whatever a peer sends: the same events for every split, and nothing beyond the limits.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "../splits.hpp"
#include "http2_server_session.hpp"

namespace {

using namespace troupe;

// Answers each request with its body, and shows what it heard.
class echoes final : public http2_server_events {
public:
  explicit echoes(std::vector<std::string>& events)
    : events_(events), session(*this, limits(), options()) {}

  void send() {
    for (std::string out;; out.clear()) {
      session.send(out, 4096);
      if (out.empty())
        return;
    }
  }

private:
  struct stream {
    std::int32_t id;
    std::string body;
    bool ended = false;
  };

  static http_request_limits limits() {
    http_request_limits l;
    l.head = 1024;
    l.fields = 20;
    return l;
  }
  static http2_options options() {
    http2_options o;
    o.max_streams = 10;
    o.stream_window = 2000;
    o.connection_window = 5000;
    o.max_overhead = 50;
    return o;
  }

  void head_received(std::int32_t id, http_request_head&& head, bool ended,
                     const http2_refusal& refusal) override {
    if (head.path().empty() && refusal.status == 0)
      std::abort();
    if (head.fields().size() > 2 * limits().fields)
      std::abort();
    std::string text = std::to_string(id) + ' ' + std::string{head.method()} + ' '
                       + std::string{head.target()} + ' ' + std::to_string(refusal.status);
    for (std::size_t i = 0; i < head.fields().size(); ++i)
      ((text += '|') += head.fields().name(i)) += head.fields().value(i);
    events_.push_back(std::move(text));
    auto& s = streams_[id];
    s = std::make_unique<stream>(stream{id, {}, ended});
    session.set_user(id, s.get());
    if (ended)
      answer(*s);
  }
  void data_received(void* user, std::string_view data) override {
    auto& s = *static_cast<stream*>(user);
    s.body += data;
    if (s.body.size() > options().stream_window * 10)
      std::abort();
    session.consume(s.id, data.size());
  }
  void message_ended(void* user, http_fields&& trailers) override {
    if (user == nullptr)
      return;
    auto& s = *static_cast<stream*>(user);
    if (s.ended)
      std::abort(); // twice
    s.ended = true;
    events_.push_back("end " + std::to_string(s.id) + ' ' + std::to_string(trailers.size()) + ' '
                      + s.body);
    s.body.clear();
    answer(s);
  }
  void answer(stream& s) {
    std::uint8_t name[] = ":status";
    std::uint8_t value[] = "200";
    const nghttp2_nv status{name, value, 7, 3, NGHTTP2_NV_FLAG_NONE};
    session.respond(s.id, {&status, 1}, true);
  }
  std::optional<std::ptrdiff_t> body_wanted(void*, std::span<std::uint8_t> into, bool& end,
                                            bool&) override {
    end = true;
    if (into.empty())
      std::abort();
    into[0] = 'x';
    return 1;
  }
  void message_sent(void*) override {}
  void stream_closed(void* user, std::uint32_t) override {
    auto& s = *static_cast<stream*>(user);
    session.set_user(s.id, nullptr);
    streams_.erase(s.id);
  }
  void ping_answered() override {}
  void goodbye_sent(std::uint32_t code, std::string_view) override {
    events_.push_back("goodbye " + std::to_string(code));
  }

  std::vector<std::string>& events_;
  std::map<std::int32_t, std::unique_ptr<stream>> streams_;

public:
  http2_server_session session;
};

// Returns it up to a goodbye of the client: what follows is not read, or is if it came with that.
std::string_view up_to_goodbye(std::string_view input) {
  for (std::size_t at = 24; at + 9 <= input.size();) {
    const auto byte = [&](std::size_t i) {
      return static_cast<std::size_t>(static_cast<unsigned char>(input[at + i]));
    };
    const auto end = at + 9 + (byte(0) << 16 | byte(1) << 8 | byte(2));
    if (byte(3) == NGHTTP2_GOAWAY)
      return input.substr(0, end);
    at = end;
  }
  return input;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // Mostly behind the preface, which no mutation leaves whole for long.
  std::string input{reinterpret_cast<const char*>(data), size};
  if (size % 16 != 0)
    input.insert(0, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  // What is sent meanwhile changes what may come: so answers wait for the end.
  fuzz::same_for_splits(up_to_goodbye(input), [](const testing::split_input& split) {
    std::vector<std::string> events;
    echoes peer{events};
    split.feed([&](std::string_view piece) { peer.session.receive(piece); });
    peer.send();
    return events;
  });
  std::vector<std::string> events;
  echoes peer{events};
  for (std::string_view rest = input; !rest.empty();
       rest.remove_prefix(std::min<std::size_t>(rest.size(), 7))) {
    peer.session.receive(rest.substr(0, 7));
    peer.send();
  }
  return 0;
}
