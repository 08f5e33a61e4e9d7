#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include <spdlog/logger.h>
#include <spdlog/sinks/ringbuffer_sink.h>

#include "support/running.hpp"

namespace troupe::testing {

/// Remembers what a runtime logs while this object lives.
class log_watch {
public:
  explicit log_watch(running& server) : sinks_(server.rt.logger().sinks()) {
    sink_->set_pattern("%l %v");
    sinks_.push_back(sink_);
  }
  ~log_watch() { std::erase(sinks_, sink_); }
  log_watch(const log_watch&) = delete;
  log_watch& operator=(const log_watch&) = delete;

  /// Returns the lines with `part` in them, such as "error tcp 127.0.0.1:80: ...\n".
  [[nodiscard]] std::vector<std::string> lines(const std::string& part) const {
    std::vector<std::string> result;
    for (auto& line : sink_->last_formatted())
      if (line.find(part) != std::string::npos)
        result.push_back(std::move(line));
    return result;
  }

  [[nodiscard]] std::size_t count(const std::string& part) const { return lines(part).size(); }

private:
  std::vector<spdlog::sink_ptr>& sinks_;
  std::shared_ptr<spdlog::sinks::ringbuffer_sink_mt> sink_ =
    std::make_shared<spdlog::sinks::ringbuffer_sink_mt>(1000);
};

} // namespace troupe::testing
