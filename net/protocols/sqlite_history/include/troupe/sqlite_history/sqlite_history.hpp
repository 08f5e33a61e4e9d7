#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <troupe/history/history_store.hpp>
#include <troupe/runtime/time.hpp>

namespace troupe {

/// Where messages are kept, and how many.
struct sqlite_history_options {
  /// The database, which is made if it is not there; beside it lie `<file>-wal` and, for a moment, others. On a disk of this
  /// machine: not on a network's.
  std::string file;

  /// Messages of a topic that are kept at least; the oldest go when there are an eighth more. 0: all.
  std::size_t per_topic = 1000;

  /// How long a message is kept; zero: for ever.
  duration max_age = duration::zero();

  /// Bytes of the file, without its journal; beyond, nothing is kept (`history_errc::store_full`). 0: as the disk has room.
  std::uint64_t max_bytes = 0;

  /// What is written in one go at most; all of it is on the disk before any of it is acknowledged.
  std::size_t max_batch = 4096;
  std::size_t max_batch_bytes = 8 * 1024 * 1024;

  /// Tells the date, in milliseconds since 1970, in the store's thread; for tests. Empty: the system's.
  std::function<std::int64_t()> date{};
};

/// A store in a file of SQLite: the history of a program on one machine.
///
/// What is acknowledged is on the disk: written, and fsynced (as far as the disk tells the truth). Neither the end of the
/// process, at whatever moment, nor that of the machine takes it away. All that waits shares one fsync.
///
/// One process has a file at a time. It has one thread of its own, in which all of this happens.
///
/// When the disk is full, appending fails with `history_errc::store_full`, and goes on by itself once there is room. After
/// an fsync that failed nothing is written any more (`history_errc::store_failed`): nobody knows what the disk has then.
///
/// ```cpp
/// troupe::kept_topics rooms{rt, std::make_shared<troupe::sqlite_history>(
///                                 troupe::sqlite_history_options{.file = "chat.db"})};
/// ```
///
/// `attach` throws, with the file's name and what to do: `history_errc::store_in_use`, `wrong_store` (no database, or not one
/// of these, or of a later version), `store_corrupt`, `store_failed` (no right to it, no such folder).
class sqlite_history final : public history_store {
public:
  explicit sqlite_history(sqlite_history_options options);
  ~sqlite_history() override;

  [[nodiscard]] std::unique_ptr<history_link> attach(runtime& rt, history_events& events) override;
  [[nodiscard]] std::string name() const override;

private:
  const sqlite_history_options options_;
};

} // namespace troupe
