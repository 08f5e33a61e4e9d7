#pragma once

#include <memory>
#include <string>

#include <troupe/leases/lease_store.hpp>
#include <troupe/runtime/time.hpp>

namespace troupe {

/// Where leases are kept.
struct sqlite_leases_options {
  /// A database of its own, which is made if it is not there: on a disk of this machine, for file locks of others are not
  /// to be relied on. Two files appear beside it.
  std::string file;

  /// How long a write waits for one of another process.
  duration busy = std::chrono::milliseconds(500);
};

/// A store of leases in a file of SQLite: for several processes of one machine.
///
/// What is written is on the disk when it is answered, so tokens grow over a loss of power. A file that is removed while
/// it is used is one of those who have it open, and no other's.
class sqlite_leases final : public lease_store {
public:
  /// \throws std::invalid_argument if an option makes no sense
  explicit sqlite_leases(sqlite_leases_options options);
  ~sqlite_leases() override;

  /// \throws std::system_error of `lease_errc::wrong_store` or `store_failed` if the file cannot be used; one that is merely
  ///         busy is tried again
  [[nodiscard]] std::unique_ptr<lease_link>
  attach(runtime& rt, std::function<void(std::string_view)> freed) override;
  [[nodiscard]] std::string name() const override;

private:
  const sqlite_leases_options options_;
};

} // namespace troupe
