#include <troupe/net/metrics_page.hpp>

#include <string>
#include <string_view>

#include <spdlog/fmt/fmt.h>

#include <troupe/net/line_receiver.hpp>
#include <troupe/net/timeout_mixin.hpp>
#include <troupe/runtime/prometheus.hpp>

namespace troupe {

namespace {

using namespace std::chrono_literals;

/// One HTTP request and its answer. What the request's header fields say changes nothing here.
class metrics_request final : public timeout_mixin<line_receiver> {
public:
  metrics_request(caf::actor_config& cfg, runtime* rt) : timeout_mixin(cfg), rt_(*rt) {}

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
    if (target.substr(0, target.find('?')) != "/metrics")
      return answer("404 Not Found", "only /metrics\n");
    answer("200 OK", prometheus_text(rt_), {}, "text/plain; version=0.0.4; charset=utf-8");
  }

  void answer(std::string_view status, const std::string& body, std::string_view more = {},
              std::string_view type = "text/plain; charset=utf-8") {
    transport().write(fmt::format("HTTP/1.1 {}\r\nContent-Type: {}\r\nContent-Length: {}\r\n{}"
                                  "Connection: close\r\n\r\n{}",
                                  status, type, body.size(), more, without_body_ ? "" : body));
    transport().lose_connection();
  }

  runtime& rt_;
  std::string first_; // the request line
  std::size_t size_ = 0;
  bool without_body_ = false;
};

class metrics_factory final : public factory {
public:
  metrics_factory(caf::actor_config& cfg, runtime* rt) : factory(cfg), rt_(rt) {
    noisy = false;
    set_max_connections(64);
  }
  protocol_ptr build_protocol(const net_address&) override {
    return make_protocol<metrics_request>(rt_);
  }
  std::string log_prefix() const override { return "metrics page"; }

private:
  runtime* const rt_;
};

} // namespace

factory_ref metrics_page(runtime& rt) {
  return factory::of<metrics_factory>(&rt);
}

} // namespace troupe
