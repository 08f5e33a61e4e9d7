#include <troupe/observer_page/observer_page.hpp>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <string_view>
#include <utility>

#include <sys/random.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include <troupe/http/http_auth.hpp>
#include <troupe/http/http_event_stream.hpp>
#include <troupe/http/http_form.hpp>
#include <troupe/http/http_router.hpp>
#include <troupe/http/http_server.hpp>
#include <troupe/http/http_text.hpp>
#include <troupe/net/protocol.hpp>
#include <troupe/runtime/loop_scheduler.hpp>
#include <troupe/runtime/thread_pool.hpp>

#include "observed_tables.hpp"

namespace troupe {

namespace detail::observer_page {
std::string_view web_file(std::string_view name) noexcept; // made by troupe_web_files
}

namespace {

using nlohmann::json;

/// What all who look share.
struct shown_process {
  observer seen;
  observer_page_options options;
  std::atomic<std::size_t> viewers{0};
};

/// A page that is open: it is told of the process until it goes. Thread: its connection's.
class viewer : public std::enable_shared_from_this<viewer> {
public:
  viewer(std::shared_ptr<shown_process> of, http_request request, std::string table,
         detail::table_order order)
    : of_(std::move(of)), request_(std::move(request)),
      events_(request_, {.retry = 2000, .max_waiting = 4 * 1024 * 1024}), table_(std::move(table)),
      order_(std::move(order)) {}
  viewer(const viewer&) = delete;
  viewer& operator=(const viewer&) = delete;
  ~viewer() { of_->viewers.fetch_sub(1, std::memory_order_relaxed); }

  http_response start() {
    auto response = events_.response();
    request_.actor().call_later(duration::zero(), [self = shared_from_this()] { self->look(); });
    return response;
  }

private:
  void look() {
    if (!events_.open())
      return;
    of_->seen.loops().add_callback([self = shared_from_this()](observed<observed_loop> got) {
      self->add_process(got);
      if (self->events_.open())
        self->look_at_table();
    });
  }

  void add_process(const observed<observed_loop>& got) {
    if (!events_.open())
      return;
    auto& rt = of_->seen.of();
    const auto& pool = rt.reactor().get_thread_pool();
    const auto now = request_.actor().loop().time().time_since_epoch();
    const auto at = std::chrono::duration<double>(now).count();
    sample_ = {
      {"at", at},
      {"name", of_->options.name},
      {"process", ::getpid()},
      {"memory", detail::resident_memory()},
      {"actors", of_->seen.running_actors()},
      {"threads", {{"all", pool.workers()}, {"idle", pool.idle()}, {"queued", pool.queued()}}},
      {"loops", detail::loops_list(got)},
      {"silent", got.silent}};
  }

  void look_at_table() {
    const auto self = shared_from_this();
    const auto& seen = of_->seen;
    if (table_ == "actors")
      seen.actors().add_callback([self](observed<observed_actor> got) {
        self->sample_["kinds"] = detail::kinds_table(got, self->order_.rows);
        if (const auto times = handler_times(self->of_->seen.of()); !times.empty())
          self->sample_["handlers"] = detail::handlers_table(times, self->order_.rows);
        self->tell(detail::actors_table(got, self->order_));
      });
    else if (table_ == "connections")
      seen.connections().add_callback([self](observed<observed_connection> got) {
        self->tell(detail::connections_table(got, self->order_));
      });
    else if (table_ == "supervisors")
      seen.supervisors().add_callback([self](observed<observed_child> got) {
        self->sample_["trees"] = detail::trees_list(got, self->order_.rows);
        self->sample_["omitted"] = got.omitted;
        self->tell({});
      });
    else if (table_ == "topics")
      tell(detail::topics_table(seen.topics(), order_));
    else
      tell({});
  }

  void tell(json table) {
    if (!events_.open())
      return;
    if (!table.is_null())
      sample_["table"] = std::move(table);
    sample_["shows"] = table_;
    const auto text =
      std::exchange(sample_, {}).dump(-1, ' ', false, json::error_handler_t::replace);
    auto& connection = request_.actor();
    connection.enter([&] {
      if (events_.send(text))
        connection.call_later(of_->options.interval, [self = shared_from_this()] { self->look(); });
    });
  }

  const std::shared_ptr<shown_process> of_;
  const http_request request_;
  http_event_stream events_;
  const std::string table_;
  const detail::table_order order_;
  json sample_; // while it is put together
};

http_response refusal(int status, std::string why) {
  return http_response{status, std::move(why) + '\n'}.set("Cache-Control", "no-store");
}

http_response events(const std::shared_ptr<shown_process>& of, const http_request& r) {
  const auto arguments = http_arguments::parse(r.query(), 20);
  const auto text = [&](std::string_view name) {
    return std::string{arguments.find(name).value_or(std::string_view{})};
  };
  const auto bearer = bearer_token(r.fields());
  if (!equal_in_constant_time(bearer ? std::string{*bearer} : text("token"), of->options.token))
    return refusal(403, "The token is missing, or another one.");
  if (of->viewers.fetch_add(1, std::memory_order_relaxed) >= of->options.most_viewers) {
    of->viewers.fetch_sub(1, std::memory_order_relaxed);
    return refusal(503, "As many pages are open as may be.");
  }
  const auto page = std::make_shared<viewer>(
    of, r, text("show"), detail::table_order{text("by"), text("down") != "no", of->options.rows});
  return page->start();
}

http_reply file(std::string_view name, std::string_view type) {
  return http_response{200, std::string{detail::observer_page::web_file(name)}, type}
    .set("Cache-Control", "no-cache")
    .set("Content-Security-Policy",
         "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
         "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
    .set("Referrer-Policy", "no-referrer")
    .set("X-Content-Type-Options", "nosniff");
}

} // namespace

std::string observer_token() {
  unsigned char bytes[16];
  if (::getrandom(bytes, sizeof bytes, 0) != static_cast<ssize_t>(sizeof bytes))
    throw std::runtime_error("observer_token: the system has no random bytes");
  std::string text;
  for (const auto b : bytes) {
    text += "0123456789abcdef"[b >> 4];
    text += "0123456789abcdef"[b & 15];
  }
  return text;
}

factory_ref observer_page(observer seen, observer_page_options options) {
  if (options.token.size() < 16)
    throw std::invalid_argument("observer_page: the token has less than 16 bytes");
  if (options.interval <= duration::zero())
    throw std::invalid_argument("observer_page: the interval is not positive");
  const auto of =
    std::shared_ptr<shown_process>(new shown_process{std::move(seen), std::move(options), {}});
  http_router site;
  const auto add = [&site](const char* path, const char* name, const char* type) {
    site.get(path, [name, type](const http_request&) { return file(name, type); });
  };
  add("/", "index.html", "text/html; charset=utf-8");
  add("/observer.css", "observer.css", "text/css; charset=utf-8");
  add("/observer.js", "observer.js", "text/javascript; charset=utf-8");
  add("/plot.js", "plot.js", "text/javascript; charset=utf-8");
  site.get("/events", [of](const http_request& r) -> http_reply { return events(of, r); });
  return http_server(site.handler());
}

} // namespace troupe
