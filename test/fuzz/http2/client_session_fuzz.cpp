// Whatever a server sends: the same events for every split, and nothing beyond the limits.

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "../splits.hpp"
#include "http2_client_session.hpp"

namespace {

using namespace troupe;

// Has asked three things, and shows what it heard of them.
class asks final : public http2_client_events {
public:
  explicit asks(std::vector<std::string>& events)
    : events_(events), session(*this, limits(), options()) {
    std::array<std::string, 8> text{":method",    "GET", ":scheme", "http",
                                    ":authority", "a",   ":path",   "/"};
    std::vector<nghttp2_nv> fields;
    for (std::size_t i = 0; i < text.size(); i += 2)
      fields.push_back({reinterpret_cast<std::uint8_t*>(text[i].data()),
                        reinterpret_cast<std::uint8_t*>(text[i + 1].data()), text[i].size(),
                        text[i + 1].size(), NGHTTP2_NV_FLAG_NONE});
    for (auto& s : streams_)
      s.id = session.request(fields, false, &s).value();
    send();
  }

  void send() {
    for (std::string out;; out.clear()) {
      session.send(out, 4096);
      if (out.empty())
        return;
    }
  }

private:
  struct stream {
    std::int32_t id = 0;
    std::string body;
    int informed = 0;
    bool has_head = false;
    bool ended = false;
    bool closed = false;
  };

  static http_response_limits limits() {
    http_response_limits l;
    l.head = 1024;
    l.fields = 20;
    return l;
  }
  static http2_client_options options() {
    http2_client_options o;
    o.stream_window = 2000;
    o.connection_window = 5000;
    o.max_overhead = 50;
    return o;
  }
  static stream& of(void* user) {
    auto& s = *static_cast<stream*>(user);
    if (s.closed)
      std::abort();
    return s;
  }
  void note(std::string text) { events_.push_back(std::move(text)); }

  bool has_head(void* user) const noexcept override { return of(user).has_head; }
  void informed(void* user) override {
    if (of(user).has_head)
      std::abort();
    note("informed " + std::to_string(of(user).id));
  }
  void head_received(void* user, http_response_head&& head, bool ended,
                     const char* wrong) override {
    auto& s = of(user);
    if (s.has_head || s.ended)
      std::abort();
    if (wrong == nullptr && (head.status() < 200 || head.status() > 999))
      std::abort();
    if (head.fields().size() > 2 * limits().fields)
      std::abort();
    s.has_head = true;
    s.ended = ended;
    std::string text =
      std::to_string(s.id) + ' ' + std::to_string(head.status()) + (wrong != nullptr ? wrong : "");
    for (std::size_t i = 0; i < head.fields().size(); ++i)
      ((text += '|') += head.fields().name(i)) += head.fields().value(i);
    note(std::move(text));
  }
  void data_received(void* user, std::string_view data) override {
    auto& s = of(user);
    if (!s.has_head || s.ended)
      std::abort();
    s.body += data;
    session.consume(s.id, data.size());
  }
  void message_ended(void* user, http_fields&& trailers) override {
    if (user == nullptr)
      return;
    auto& s = of(user);
    if (s.ended)
      std::abort(); // twice
    s.ended = true;
    note("end " + std::to_string(s.id) + ' ' + std::to_string(trailers.size()) + ' ' + s.body);
  }
  std::optional<std::ptrdiff_t> body_wanted(void*, std::span<std::uint8_t>, bool&, bool&) override {
    std::abort();
  }
  void message_sent(void*) override {}
  void reset_received(void* user) override { note("reset " + std::to_string(of(user).id)); }
  void stream_closed(void* user, std::uint32_t code) override {
    auto& s = of(user);
    s.closed = true;
    note("closed " + std::to_string(s.id) + ' ' + std::to_string(code));
  }
  void ping_answered() override {}
  void goodbye_sent(std::uint32_t code, std::string_view) override {
    note("goodbye " + std::to_string(code));
  }
  void goodbye_received() override { note("goodbye"); }
  void settings_received() override {}

  std::vector<std::string>& events_;
  std::array<stream, 3> streams_;

public:
  http2_client_session session;
};

// Returns it up to a goodbye of the server: what follows is not read, or is if it came with that.
std::string_view up_to_farewell(std::string_view input) {
  for (std::size_t at = 0; at + 9 <= input.size();) {
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
  // Mostly behind settings, without which nothing goes on.
  std::string input{reinterpret_cast<const char*>(data), size};
  if (size % 16 != 0)
    input.insert(0, std::string{"\0\0\0\4\0\0\0\0\0", 9});
  // What is sent meanwhile changes what may come: so it waits for the end.
  fuzz::same_for_splits(up_to_farewell(input), [](const testing::split_input& split) {
    std::vector<std::string> events;
    asks peer{events};
    split.feed([&](std::string_view piece) { peer.session.receive(piece); });
    peer.send();
    return events;
  });
  std::vector<std::string> events;
  asks peer{events};
  for (std::string_view rest = input; !rest.empty();
       rest.remove_prefix(std::min<std::size_t>(rest.size(), 7))) {
    peer.session.receive(rest.substr(0, 7));
    peer.send();
  }
  return 0;
}
