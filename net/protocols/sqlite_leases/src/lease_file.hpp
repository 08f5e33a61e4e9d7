#pragma once

#include <cstdint>
#include <string>
#include <system_error>

#include <troupe/leases/lease_store.hpp>
#include <troupe/sqlite_leases/sqlite_leases.hpp>

struct sqlite3;
struct sqlite3_stmt;

namespace troupe::detail {

/// What SQLite says when something does not work: a system error of `lease_errc`.
struct lease_file_error : std::system_error {
  lease_file_error(std::error_code code, const std::string& text, bool is_busy)
    : std::system_error(code, text), busy(is_busy) {}
  bool busy; // another process has it at the moment
};

/// The records of leases in a file of SQLite. Errors are exceptions (`lease_file_error`). After one of `read` or `write` it
/// is opened anew.
///
/// Thread: one at a time.
class lease_file {
public:
  explicit lease_file(const sqlite_leases_options& options) : options_(options) {}
  ~lease_file() { close(); }
  lease_file(const lease_file&) = delete;
  lease_file& operator=(const lease_file&) = delete;

  void open();
  [[nodiscard]] lease_record read(const std::string& name);

  /// \returns the new revision; 0 if the record's is another one
  [[nodiscard]] std::uint64_t write(const std::string& name, const lease_record& record);

private:
  class statement;

  void close() noexcept;
  void run(const char* sql);
  [[nodiscard]] std::int64_t number(const char* sql);
  [[nodiscard]] lease_record find(const std::string& name);
  [[noreturn]] void refuse(int code) const;

  template <class F>
  auto used(F fn);

  const sqlite_leases_options& options_;
  sqlite3* db_ = nullptr;
};

} // namespace troupe::detail
