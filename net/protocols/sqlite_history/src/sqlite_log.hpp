#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <troupe/history/history_store.hpp>
#include <troupe/runtime/bytes.hpp>
#include <troupe/runtime/outcome.hpp>
#include <troupe/sqlite_history/sqlite_history.hpp>

#include "sqlite_database.hpp"

namespace troupe::detail {

/// A message that is to be kept, and what came of it.
struct log_entry {
  std::string topic;
  std::string id;
  shared_bytes bytes;
  history_position at{};
  kept_ref message{}; // null: it was there before
};

/// The messages in a file: what is written, in transactions, and read. Errors are exceptions (`sqlite_error`).
///
/// Thread: one, once it is made.
class sqlite_log {
public:
  /// Opens it, or makes it.
  explicit sqlite_log(const sqlite_history_options& options);

  [[nodiscard]] std::uint64_t epoch() const noexcept { return epoch_; }

  /// Keeps all of `entries`, or none: they are on the disk when it returns.
  void append(log_entry* first, log_entry* last);

  [[nodiscard]] history_page read(const std::string& topic, const history_query& query);

  /// Removes what is too old, a piece at a time. Returns whether there may be more.
  bool drop_old();

private:
  struct topic {
    std::int64_t id = 0;
    std::uint64_t last = 0;
    std::size_t count = 0;
    bool touched = false;
  };

  void open();
  void make();
  topic& topic_of(const std::string& name);
  void append(log_entry& entry, std::int64_t now);
  void trim(topic& of);
  [[nodiscard]] std::int64_t now() const;

  const sqlite_history_options& options_;
  sqlite_database db_;
  std::uint64_t epoch_ = 0;
  std::uint64_t last_ = 0;                        // of all sequences
  std::unordered_map<std::string, topic> topics_; // some of them
  std::vector<topic*> touched_;                   // by the present transaction
  sqlite_statement begin_, commit_, rollback_, find_topic_, add_topic_, count_, set_last_, add_,
    find_id_, trim_, read_, oldest_, drop_;
};

} // namespace troupe::detail
