#include <troupe/net/detail/retry_report.hpp>

#include <bit>
#include <chrono>

#include <spdlog/logger.h>

namespace troupe::detail {

void retry_report::failed(spdlog::logger& log, const std::string& who, const std::string& what,
                          const failure& why, duration wait) {
  if (const auto code = why.code(); code != last_) {
    last_ = code;
    count_ = 0;
  }
  ++count_;
  log.log(std::has_single_bit(count_) ? spdlog::level::warn : spdlog::level::debug,
          "{}: {}{}; again in {:.1f} s", who, what,
          count_ > 1 ? ", " + std::to_string(count_) + " times by now" : "",
          std::chrono::duration<double>(wait).count());
}

void retry_report::gave_up(spdlog::logger& log, const std::string& who, const std::string& what,
                           std::size_t tries) {
  log.error("{}: {}; gives up after {} retries", who, what, tries);
}

void retry_report::connected(spdlog::logger& log, const std::string& who) {
  if (count_ > 0)
    log.info("{}: connected again", who);
  last_ = {};
  count_ = 0;
}

} // namespace troupe::detail
