#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include <troupe/net/observer.hpp>
#include <troupe/runtime/handler_times.hpp>

namespace troupe::detail {

/// Which rows of a table are wanted.
struct table_order {
  std::string by;   ///< the name of a column; the first one if it is none
  bool down = true; ///< the greatest first
  std::size_t rows = 200;
};

/// Tables as the page has them: `columns`, their names; `rows`, as many as are wanted, each with one value for
/// each column; `all`, how many there are; `omitted`, how many more the loops did not list; `by` and `down`,
/// the order. Text is as the process has it, and nobody's markup.
[[nodiscard]] nlohmann::json actors_table(const observed<observed_actor>& of,
                                          const table_order& order);
[[nodiscard]] nlohmann::json connections_table(const observed<observed_connection>& of,
                                               const table_order& order);
[[nodiscard]] nlohmann::json topics_table(const std::vector<observed_topic>& of,
                                          const table_order& order);

/// The actors by kind: how many, their timers, messages that wait, and the longest mailbox.
[[nodiscard]] nlohmann::json kinds_table(const observed<observed_actor>& of, std::size_t rows);

/// What actors did with messages, by class, where that is measured (`time_handlers`); times are in seconds.
[[nodiscard]] nlohmann::json handlers_table(const std::vector<handler_time>& of, std::size_t rows);

/// The loops: counters of which the page makes rates.
[[nodiscard]] nlohmann::json loops_list(const observed<observed_loop>& of);

/// Supervision trees; of each supervisor `rows` children at most, and `more`, how many are left out.
[[nodiscard]] nlohmann::json trees_list(const observed<observed_child>& of, std::size_t rows);

/// What the process has in memory, in bytes; 0 if the system does not tell.
[[nodiscard]] std::size_t resident_memory();

} // namespace troupe::detail
