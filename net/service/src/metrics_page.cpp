#include <troupe/net/metrics_page.hpp>

#include <atomic>
#include <memory>
#include <string>
#include <string_view>

#include <spdlog/fmt/fmt.h>
#include <spdlog/logger.h>

#include <troupe/net/connection_counters.hpp>
#include <troupe/net/line_receiver.hpp>
#include <troupe/net/timeout_mixin.hpp>
#include <troupe/runtime/loop_scheduler.hpp>
#include <troupe/runtime/prometheus.hpp>

namespace troupe {

namespace {

using namespace std::chrono_literals;

/// What all requests share.
struct page {
  runtime& rt;
  metrics_page_options options;
  std::atomic<bool> stopping{false};
};

/// One HTTP request and its answer. What the request's header fields say changes nothing here.
class metrics_request final : public timeout_mixin<line_receiver> {
public:
  metrics_request(caf::actor_config& cfg, std::shared_ptr<const page> of)
    : timeout_mixin(cfg), page_(std::move(of)) {}

  void connection_made() override {
    set_timeout(10s);
    set_delimiter("\n"); // RFC 9112, 2.2: the CR before it may be missing
    set_max_length(longest);
  }

  void line_received(std::string_view line) override {
    size_ += line.size() + 1;
    if (size_ > longest)
      return answer("431 Request Header Fields Too Large", "the request is too long\n");
    if (line.ends_with('\r'))
      line.remove_suffix(1);
    if (first_.empty()) {
      if (line.empty())
        return; // RFC 9112, 2.2: empty lines before a request are ignored
      first_ = line;
    } else if (line.empty()) {
      serve();
    }
  }

  void line_length_exceeded(bytes_view) override {
    answer("431 Request Header Fields Too Large", "the request is too long\n");
  }

private:
  static constexpr std::uint32_t longest = 8192;

  void serve() {
    const std::string_view line = first_;
    const auto method = line.substr(0, line.find(' '));
    const auto rest = line.substr(std::min(line.size(), method.size() + 1));
    const auto target = rest.substr(0, rest.find(' '));
    const auto version = rest.substr(std::min(rest.size(), target.size() + 1));
    if (!version.starts_with("HTTP/1.") || target.empty())
      return answer("400 Bad Request", "this is no request of HTTP/1\n");
    without_body_ = method == "HEAD";
    if (method != "GET" && !without_body_)
      return answer("405 Method Not Allowed", "only GET and HEAD\n", "Allow: GET, HEAD\r\n");
    const auto path = target.substr(0, target.find('?'));
    if (path == "/metrics")
      return tell_metrics();
    if (path != "/healthz")
      return tell_other(path);
    if (page_->stopping || loop().stopping())
      return answer("503 Service Unavailable", "stopping\n");
    answer("200 OK", "ok\n");
  }

  void tell_metrics() {
    auto text = prometheus_text(page_->rt) + connection_metrics(page_->rt);
    try {
      if (page_->options.extra)
        text += page_->options.extra();
    } catch (...) {
      return answer_exception("metrics");
    }
    answer("200 OK", text, {}, "text/plain; version=0.0.4; charset=utf-8");
  }

  void tell_other(std::string_view path) {
    const auto& pages = page_->options.pages;
    const auto found = pages.find(path);
    if (found == pages.end()) {
      std::string known = "there are ";
      for (const auto& [name, page] : pages)
        known += name + ", ";
      return answer("404 Not Found", known + "/metrics and /healthz\n");
    }
    page_answer made;
    try {
      made = found->second();
    } catch (...) {
      return answer_exception("page");
    }
    answer(made.status, made.body, {}, made.type);
  }

  void answer_exception(std::string_view where) {
    const auto why = failure::current();
    loop().scheduler().logger().error("[{}] unhandled exception in the user's {}: {}: {}",
                                      log_prefix(), where, why.type_name(), why.message());
    answer("500 Internal Server Error", why.message() + '\n');
  }

  void answer(std::string_view status, const std::string& body, std::string_view more = {},
              std::string_view type = "text/plain; charset=utf-8") {
    transport().write(fmt::format("HTTP/1.1 {}\r\nContent-Type: {}\r\nContent-Length: {}\r\n{}"
                                  "Connection: close\r\n\r\n{}",
                                  status, type, body.size(), more, without_body_ ? "" : body));
    transport().lose_connection();
  }

  const std::shared_ptr<const page> page_;
  std::string first_; // the request line
  std::size_t size_ = 0;
  bool without_body_ = false;
};

class metrics_factory final : public factory {
public:
  metrics_factory(caf::actor_config& cfg, std::shared_ptr<const page> of)
    : factory(cfg), page_(std::move(of)) {
    noisy = false;
    set_max_connections(64);
  }
  protocol_ptr build_protocol(const net_address&) override {
    return make_protocol<metrics_request>(page_);
  }
  std::string log_prefix() const override { return "metrics page"; }

private:
  const std::shared_ptr<const page> page_;
};

} // namespace

factory_ref metrics_page(runtime& rt, std::function<std::string()> extra) {
  return metrics_page(rt, metrics_page_options{.extra = std::move(extra)});
}

factory_ref metrics_page(runtime& rt, metrics_page_options options) {
  const auto shared = std::shared_ptr<page>(new page{rt, std::move(options)});
  rt.reactor().add_system_event_trigger(trigger_phase::before, system_event::shutdown,
                                        [shared] { shared->stopping = true; });
  return factory::of<metrics_factory>(std::shared_ptr<const page>{shared});
}

} // namespace troupe
