#include <troupe/http/http_session.hpp>

#include <list>
#include <mutex>
#include <stdexcept>
#include <unordered_map>
#include <utility>

#include <openssl/rand.h>

#include <troupe/http/http_text.hpp>
#include <troupe/runtime/event_loop.hpp>

namespace troupe {

namespace detail {

namespace {

constexpr std::size_t size_of_id = 32;

std::string random_id() {
  unsigned char bytes[size_of_id];
  if (RAND_bytes(bytes, sizeof bytes) != 1)
    throw std::runtime_error("http_sessions: no random numbers");
  static constexpr char digits[] = "0123456789abcdef";
  std::string id;
  for (const auto byte : bytes)
    (id += digits[byte >> 4]) += digits[byte & 15];
  return id;
}

} // namespace

struct http_session_record {
  std::string id;
  http_session_values values;
  std::size_t size = 0;
  time_point used{};
  bool secure = false;
  bool over = false;
};

using http_session_ptr = std::shared_ptr<http_session_record>;

/// All sessions; that which was used last is first. What it does is guarded by one mutex, which is held for
/// single look-ups; `ended` is called without it.
class http_session_store {
public:
  explicit http_session_store(http_session_options o) : options(std::move(o)) {
    if (!options.keys.empty())
      signer.emplace(options.keys);
    // Refuses what can be no cookie.
    static_cast<void>(cookie(options.secure, "x").to_string());
  }

  [[nodiscard]] std::string name_of_cookie(bool secure) const {
    return secure ? "__Host-" + options.cookie : options.cookie;
  }
  [[nodiscard]] http_cookie cookie(bool secure, std::string value) const {
    http_cookie c{name_of_cookie(secure), std::move(value)};
    c.secure = secure;
    c.same_site = options.same_site;
    return c;
  }

  [[nodiscard]] http_session_ptr find(const std::string& id, bool secure) {
    std::vector<http_session_ptr> ended;
    auto found = [&]() -> http_session_ptr {
      const std::lock_guard lock{mutex_};
      end_idle(ended);
      const auto at = by_id_.find(id);
      if (at == by_id_.end() || (*at->second)->secure != secure)
        return nullptr;
      by_use_.splice(by_use_.begin(), by_use_, at->second);
      by_use_.front()->used = event_loop::now();
      return by_use_.front();
    }();
    tell(ended);
    return found;
  }

  [[nodiscard]] http_session_ptr make(bool secure) {
    auto made = std::make_shared<http_session_record>();
    made->id = random_id();
    made->used = event_loop::now();
    made->secure = secure;
    std::vector<http_session_ptr> ended;
    {
      const std::lock_guard lock{mutex_};
      end_idle(ended);
      while (!by_use_.empty() && by_use_.size() >= options.max_sessions)
        end_last(ended);
      by_use_.push_front(made);
      by_id_.emplace(made->id, by_use_.begin());
    }
    tell(ended);
    return made;
  }

  void renew(http_session_record& s) {
    auto id = random_id();
    const std::lock_guard lock{mutex_};
    const auto at = by_id_.find(s.id);
    if (s.over || at == by_id_.end())
      return;
    auto node = by_id_.extract(at);
    node.key() = id;
    by_id_.insert(std::move(node));
    s.id = std::move(id);
  }

  void end(const http_session_ptr& s) {
    {
      const std::lock_guard lock{mutex_};
      const auto at = by_id_.find(s->id);
      if (std::exchange(s->over, true) || at == by_id_.end())
        return;
      by_use_.erase(at->second);
      by_id_.erase(at);
    }
    tell({s});
  }

  [[nodiscard]] std::size_t size() {
    const std::lock_guard lock{mutex_};
    return by_use_.size();
  }

  /// Calls `fn()` while nobody else changes a session.
  template <class F>
  auto guarded(F&& fn) {
    const std::lock_guard lock{mutex_};
    return fn();
  }

  const http_session_options options;
  std::optional<cookie_signer> signer;

private:
  using list = std::list<http_session_ptr>;

  void end_idle(std::vector<http_session_ptr>& ended) {
    const auto now = event_loop::now();
    while (!by_use_.empty() && now - by_use_.back()->used >= options.idle_timeout)
      end_last(ended);
  }
  void end_last(std::vector<http_session_ptr>& ended) {
    auto last = std::move(by_use_.back());
    by_use_.pop_back();
    by_id_.erase(last->id);
    last->over = true;
    ended.push_back(std::move(last));
  }
  // Nobody changes what has ended.
  void tell(const std::vector<http_session_ptr>& ended) const {
    if (options.ended)
      for (const auto& s : ended)
        options.ended(s->values);
  }

  std::mutex mutex_;
  list by_use_;
  std::unordered_map<std::string, list::iterator> by_id_;
};

struct http_session_state {
  std::shared_ptr<http_session_store> store;
  bool secure = false;
  bool came = false;        // the client has sent a cookie
  bool changed = false;     // its id
  http_session_ptr session; // null: there is none

  [[nodiscard]] bool exists() const { return session && !session->over; }
};

} // namespace detail

std::optional<std::string> http_session::find(std::string_view name) const {
  return state_->store->guarded([&]() -> std::optional<std::string> {
    if (!state_->exists())
      return {};
    const auto at = state_->session->values.find(name);
    return at == state_->session->values.end() ? std::nullopt : std::optional{at->second};
  });
}

void http_session::set(std::string_view name, std::string value) const {
  auto& s = *state_;
  const auto fits = [&](std::size_t size) {
    if (size > s.store->options.max_size)
      throw std::length_error("http_session: it holds too much");
    return size;
  };
  if (!exists()) {
    fits(name.size() + value.size());
    s.session = s.store->make(s.secure);
    s.changed = true;
  }
  s.store->guarded([&] {
    auto& r = *s.session;
    if (r.over)
      return;
    const auto at = r.values.find(name);
    const auto before = at == r.values.end() ? 0 : name.size() + at->second.size();
    r.size = fits(r.size - before + name.size() + value.size());
    if (at == r.values.end())
      r.values.emplace(name, std::move(value));
    else
      at->second = std::move(value);
  });
}

void http_session::erase(std::string_view name) const {
  state_->store->guarded([&] {
    if (!state_->exists())
      return;
    auto& r = *state_->session;
    if (const auto at = r.values.find(name); at != r.values.end()) {
      r.size -= at->first.size() + at->second.size();
      r.values.erase(at);
    }
  });
}

void http_session::renew() const {
  if (!exists())
    return;
  state_->store->renew(*state_->session);
  state_->changed = true;
}

void http_session::end() const {
  if (const auto session = std::exchange(state_->session, nullptr)) {
    state_->store->end(session);
    state_->changed = true;
  }
}

bool http_session::exists() const {
  return state_->store->guarded([&] { return state_->exists(); });
}

http_sessions::http_sessions(http_session_options options)
  : store_(std::make_shared<detail::http_session_store>(std::move(options))) {}

std::size_t http_sessions::size() const {
  return store_->size();
}

http_handler
http_sessions::handler(std::function<http_reply(http_request, http_session)> inner) const {
  return [store = store_, inner = std::move(inner)](http_request r) -> http_reply {
    auto state = std::make_shared<detail::http_session_state>();
    state->store = store;
    state->secure = store->options.secure || r.tls() != nullptr;
    if (const auto sent = find_cookie(r.fields(), store->name_of_cookie(state->secure))) {
      state->came = true;
      const auto id = store->signer
                        ? store->signer->verify(store->name_of_cookie(state->secure), *sent)
                        : std::optional<std::string>{*sent};
      if (id)
        state->session = store->find(*id, state->secure);
    }
    return inner(std::move(r), http_session{state}).then([state](http_response& response) {
      if (!state->changed)
        return;
      auto& s = *state->store;
      std::string id =
        s.guarded([&] { return state->exists() ? state->session->id : std::string{}; });
      if (id.empty() && !state->came)
        return;
      if (!id.empty() && s.signer)
        id = s.signer->sign(s.name_of_cookie(state->secure), id);
      const bool ends = id.empty();
      auto cookie = s.cookie(state->secure, std::move(id));
      if (ends)
        cookie.max_age = std::chrono::seconds(0);
      response.add("Set-Cookie", cookie.to_string());
      if (!response.field("Cache-Control"))
        response.set("Cache-Control", "no-store");
    });
  };
}

} // namespace troupe
