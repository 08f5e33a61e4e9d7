#include <troupe/http/http_event_stream.hpp>

#include <stdexcept>
#include <utility>

#include <troupe/net/protocol.hpp>
#include <troupe/runtime/promise.hpp>

namespace troupe {

struct http_event_stream::state {
  explicit state(const http_request& r, http_event_stream_options o)
    : request(r), options(o), last_id(r.field("Last-Event-ID").value_or(std::string_view{})) {}

  http_request request;
  http_event_stream_options options;
  std::string last_id;
  std::string waiting;
  std::optional<promise<std::string>> reader;
  bool ended = false;
  bool overflown = false;
  bool gone = false; // the response's source is

  void add(std::string_view text) {
    waiting += text;
    if (waiting.size() > options.max_waiting) {
      overflown = true;
      waiting = {};
    }
    hand();
  }
  void hand() {
    if (!reader || (waiting.empty() && !ended))
      return;
    auto fired = *std::exchange(reader, std::nullopt);
    fired.callback(std::exchange(waiting, {}));
  }
};

// The body of the response.
class http_event_stream::source final : public http_body_source {
public:
  explicit source(std::shared_ptr<state> s) : state_(std::move(s)) {}
  ~source() override { state_->gone = true; }

  deferred<std::string> read() override {
    auto& s = *state_;
    if (s.overflown)
      return fail<std::string>(
        failure{errc::output_limit_reached, "events for a client that does not read"});
    if (!s.waiting.empty() || s.ended)
      return succeed(std::exchange(s.waiting, {}));
    return s.reader.emplace().get_deferred();
  }

private:
  std::shared_ptr<state> state_;
};

http_event_stream::http_event_stream(const http_request& r, http_event_stream_options options)
  : state_(std::make_shared<state>(r, options)) {
  if (options.retry)
    state_->add("retry: " + std::to_string(*options.retry) + "\n\n");
}

http_response http_event_stream::response() {
  http_response r;
  r.type("text/event-stream").set("Cache-Control", "no-store").set("X-Accel-Buffering", "no");
  r.body(std::make_unique<source>(state_));
  struct pinging {
    std::weak_ptr<state> of;
    void operator()() const {
      const auto s = of.lock();
      if (!s || s->gone || s->ended || !s->request.connected())
        return;
      if (s->waiting.empty())
        s->add(":\n\n");
      s->request.actor().call_later(s->options.ping, pinging{of});
    }
  };
  if (state_->options.ping > duration::zero())
    state_->request.actor().call_later(state_->options.ping, pinging{state_});
  return r;
}

bool http_event_stream::send(std::string_view data, std::string_view event, std::string_view id) {
  for (const auto text : {event, id})
    if (text.find_first_of(std::string_view{"\r\n\0", 3}) != std::string_view::npos)
      throw std::invalid_argument("http_event_stream: a name or an id has a line end");
  if (!open())
    return false;
  std::string text;
  if (!event.empty())
    ((text += "event: ") += event) += '\n';
  if (!id.empty())
    ((text += "id: ") += id) += '\n';
  for (;;) {
    const auto end = data.find_first_of("\r\n");
    ((text += "data: ") += data.substr(0, end)) += '\n';
    if (end == std::string_view::npos)
      break;
    data.remove_prefix(end + (data.substr(end, 2) == "\r\n" ? 2 : 1));
  }
  text += '\n';
  state_->add(text);
  return open();
}

void http_event_stream::close() {
  state_->ended = true;
  state_->hand();
}

bool http_event_stream::open() const noexcept {
  return !state_->ended && !state_->overflown && !state_->gone && state_->request.connected();
}

const std::string& http_event_stream::last_event_id() const noexcept {
  return state_->last_id;
}

} // namespace troupe
