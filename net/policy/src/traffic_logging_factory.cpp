#include <troupe/net/traffic_logging_factory.hpp>

#include <fstream>
#include <utility>

#include <spdlog/logger.h>

#include <troupe/runtime/loop_scheduler.hpp>

namespace troupe {

class traffic_logging_protocol::file {
public:
  file(std::string path, std::size_t limit)
    : path_(std::move(path)), out_(path_, std::ios::binary), left_(limit) {}

  [[nodiscard]] bool good() const { return out_.good(); }
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

  void add(const std::string& line) {
    if (left_ == 0)
      return;
    if (line.size() < left_) {
      left_ -= line.size() + 1;
      out_ << line << std::endl;
    } else {
      left_ = 0;
      out_ << "... the file is full" << std::endl;
    }
  }

private:
  const std::string path_;
  std::ofstream out_;
  std::size_t left_;
};

traffic_logging_protocol::traffic_logging_protocol(const traffic_log& to, std::uint64_t number)
  : number_(number), length_limit_(to.length_limit) {
  if (!to.file_prefix.empty())
    file_ = std::make_unique<file>(to.file_prefix + '-' + std::to_string(number), to.file_limit);
}

traffic_logging_protocol::~traffic_logging_protocol() = default;

void traffic_logging_protocol::log(const std::string& line) {
  if (file_ == nullptr)
    return wrapped_protocol().loop().scheduler().logger().info("{}", line);
  file_->add(line);
}

std::string traffic_logging_protocol::quoted(bytes_view data) const {
  constexpr std::string_view digits = "0123456789abcdef";
  const bool whole = length_limit_ == 0 || data.size() <= length_limit_;
  std::string text{'"'};
  for (const auto b : whole ? data : data.first(length_limit_)) {
    const auto c = static_cast<char>(b);
    const auto code = std::to_integer<unsigned>(b);
    if (c == '"' || c == '\\')
      text.append(1, '\\').append(1, c);
    else if (c == '\r')
      text += "\\r";
    else if (c == '\n')
      text += "\\n";
    else if (c == '\t')
      text += "\\t";
    else if (code < 0x20 || code > 0x7e)
      text.append("\\x").append(1, digits[code >> 4]).append(1, digits[code & 15]);
    else
      text += c;
  }
  text += '"';
  if (!whole)
    text += " and " + std::to_string(data.size() - length_limit_) + " more bytes";
  return text;
}

void traffic_logging_protocol::connection_made() {
  if (file_ != nullptr && !file_->good()) {
    wrapped_protocol().loop().scheduler().logger().error("cannot log traffic to {}", file_->path());
    file_.reset(); // then to the logger
  }
  log("*");
}

void traffic_logging_protocol::data_received(bytes_view data) {
  log("C " + std::to_string(number_) + ": " + quoted(data));
  protocol_wrapper::data_received(data);
}

void traffic_logging_protocol::connection_lost(const failure& reason) {
  log("C " + std::to_string(number_) + ": " + reason.message());
  file_.reset();
}

void traffic_logging_protocol::write(bytes_view data) {
  log("S " + std::to_string(number_) + ": " + quoted(data));
  protocol_wrapper::write(data);
}

void traffic_logging_protocol::write(const shared_bytes& data) {
  log("S " + std::to_string(number_) + ": " + quoted(data.view()));
  protocol_wrapper::write(data);
}

void traffic_logging_protocol::write_sequence(std::span<const bytes_view> pieces) {
  std::string all;
  for (const auto piece : pieces)
    all.append(all.empty() ? "" : ", ").append(quoted(piece));
  log("SV " + std::to_string(number_) + ": [" + all + ']');
  protocol_wrapper::write_sequence(pieces);
}

void traffic_logging_protocol::lose_connection() {
  log("S " + std::to_string(number_) + ": *");
  protocol_wrapper::lose_connection();
}

traffic_logging_factory::traffic_logging_factory(caf::actor_config& cfg, factory_ref inner,
                                                 traffic_log to)
  : wrapping_factory(cfg, std::move(inner)), to_(std::move(to)) {}

std::unique_ptr<protocol_wrapper> traffic_logging_factory::make_wrapper() {
  return std::make_unique<traffic_logging_protocol>(to_, ++counter_);
}

} // namespace troupe
