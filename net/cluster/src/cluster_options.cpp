#include <troupe/cluster/cluster_options.hpp>

#include <algorithm>
#include <stdexcept>

#include <troupe/runtime/logger.hpp>

#include "cluster_core.hpp"
#include "wire.hpp"

namespace troupe::detail {

namespace {

[[noreturn]] void refuse(const std::string& why) {
  throw std::invalid_argument("cluster_options: " + why);
}

bool fits_name(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'
         || c == '-';
}

void expect_name(const std::string& name, const char* option) {
  if (is_node_name(name))
    return;
  refuse(std::string{option} + " is '" + escape_text(name, 80)
         + "'; it must be 1 to 64 letters, digits, '_' and '-'");
}

} // namespace

std::string in_ms(duration d) {
  return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(d).count()) + " ms";
}

bool is_node_name(std::string_view name) noexcept {
  return !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), fits_name);
}

void check(const cluster_options& options) {
  using namespace std::chrono_literals;
  expect_name(options.name, "name");
  expect_name(options.cluster, "cluster");
  if (!options.via)
    refuse(
      "via is empty; a cluster needs a backplane, such as std::make_shared<memory_backplane>()");
  if (options.heartbeat < 1ms || options.heartbeat > 1h)
    refuse("heartbeat is " + in_ms(options.heartbeat) + "; it must be 1 ms to 1 hour");
  if (options.down_after < 3 * options.heartbeat)
    refuse("down_after is " + in_ms(options.down_after)
           + ", and must be at least three heartbeats, " + in_ms(3 * options.heartbeat)
           + ": raise it, or lower heartbeat");
  if (options.isolation_hold < duration::zero())
    refuse("isolation_hold must not be negative");
  if (options.forget_after < options.down_after)
    refuse("forget_after is " + in_ms(options.forget_after) + ", and must be at least down_after, "
           + in_ms(options.down_after));
  if (options.max_message == 0 || options.max_message > (std::size_t{64} << 20))
    refuse("max_message is " + std::to_string(options.max_message)
           + "; it must be 1 byte to 64 MiB");
  if (options.max_unsent < options.max_message + wire::overhead)
    refuse("max_unsent is " + std::to_string(options.max_unsent)
           + ", in which no message of max_message, " + std::to_string(options.max_message)
           + " and " + std::to_string(wire::overhead) + ", fits: raise it, or lower that");
  if (options.max_topics == 0)
    refuse("max_topics must not be zero");
  if (options.leave_hold < duration::zero() || options.leave_hold > 1h)
    refuse("leave_hold is " + in_ms(options.leave_hold) + "; it must be 0 to 1 hour");
  if (options.max_entries == 0)
    refuse("max_entries must not be zero");
  if (options.version.size() > wire::longest_version)
    refuse("version has " + std::to_string(options.version.size()) + " bytes; it may have "
           + std::to_string(wire::longest_version));
}

} // namespace troupe::detail
