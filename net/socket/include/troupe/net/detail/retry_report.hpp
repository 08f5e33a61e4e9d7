#pragma once

#include <cstddef>
#include <string>
#include <system_error>

#include <troupe/runtime/failure.hpp>
#include <troupe/runtime/time.hpp>

namespace spdlog {
class logger;
}

namespace troupe::detail {

/// Says in the log why a connection has to be made again, and that it is there again.
///
/// The first failure is a warning; of others with the same reason only the second, fourth, eighth and
/// so on, with their count. The rest is logged at debug level.
class retry_report {
public:
  /// \param who   the log prefix
  /// \param what  where to, and what happened: "localhost:7010 (the connection was refused)"
  void failed(spdlog::logger& log, const std::string& who, const std::string& what,
              const failure& why, duration wait);

  /// Nothing more is tried. \param tries  how often it was tried again
  void gave_up(spdlog::logger& log, const std::string& who, const std::string& what,
               std::size_t tries);

  void connected(spdlog::logger& log, const std::string& who);

private:
  std::error_code last_{};
  std::size_t count_ = 0; // failures with that reason
};

} // namespace troupe::detail
