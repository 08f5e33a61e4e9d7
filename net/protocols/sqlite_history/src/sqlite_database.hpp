#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>

#include <troupe/history/history_errc.hpp>

struct sqlite3;
struct sqlite3_stmt;

namespace troupe::detail {

/// What SQLite says when something does not work.
struct sqlite_error : std::system_error {
  sqlite_error(history_errc code, const std::string& text, int sqlite_code)
    : std::system_error(make_error_code(code), text), sqlite_code(sqlite_code) {}

  /// Tells whether nobody knows any more what the disk has.
  [[nodiscard]] bool lost_sync() const noexcept;

  int sqlite_code; ///< the extended one
};

/// A statement that is used again and again.
class sqlite_statement {
public:
  sqlite_statement() noexcept = default;
  sqlite_statement(sqlite3* of, const char* sql, const std::string& file);
  sqlite_statement(sqlite_statement&& other) noexcept;
  sqlite_statement& operator=(sqlite_statement&& other) noexcept;
  ~sqlite_statement();

  /// Begins anew, and sets its parameters from the first on.
  template <class... Ts>
  sqlite_statement& with(const Ts&... values) {
    reset();
    [[maybe_unused]] int at = 0;
    (bind(++at, values), ...);
    return *this;
  }

  /// Goes on to the next row; false if there is none. \throws sqlite_error
  bool step();

  /// Runs it to its end.
  void run() {
    while (step()) {
    }
    reset();
  }
  void reset() noexcept;

  [[nodiscard]] std::int64_t number(int column) const;
  [[nodiscard]] std::string_view bytes(int column) const; ///< until the next step

private:
  void bind(int at, std::int64_t value);
  void bind(int at, std::string_view value); ///< as it is; it must live until the run is over
  void bind(int at, std::nullptr_t);

  sqlite3* of_ = nullptr;
  sqlite3_stmt* statement_ = nullptr;
  const std::string* file_ = nullptr;
};

/// An open database: errors are exceptions that name its file.
class sqlite_database {
public:
  explicit sqlite_database(std::string file);
  ~sqlite_database();
  sqlite_database(const sqlite_database&) = delete;
  sqlite_database& operator=(const sqlite_database&) = delete;

  void run(const char* sql);
  [[nodiscard]] sqlite_statement prepare(const char* sql) { return {db_, sql, file_}; }

  /// Returns the number that a query has as its only result.
  [[nodiscard]] std::int64_t number(const char* sql);
  [[nodiscard]] bool in_transaction() const noexcept;
  [[nodiscard]] const std::string& file() const noexcept { return file_; }

private:
  const std::string file_;
  sqlite3* db_ = nullptr;
};

} // namespace troupe::detail
