#include "lease_file.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include <sqlite3.h>

#include <troupe/leases/lease_errc.hpp>

namespace troupe::detail {

namespace {

constexpr std::int64_t application = 0x7472706c; // "trpl"
constexpr std::int64_t version = 1;

std::int64_t milliseconds(duration d) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(d).count();
}

} // namespace

/// A statement that is run once.
class lease_file::statement {
public:
  statement(const lease_file& of, const char* sql) : of_(of) {
    if (const int code = sqlite3_prepare_v2(of.db_, sql, -1, &made_, nullptr); code != SQLITE_OK)
      of.refuse(code);
  }
  ~statement() { sqlite3_finalize(made_); }
  statement(const statement&) = delete;
  statement& operator=(const statement&) = delete;

  statement& bind(int at, std::int64_t value) {
    sqlite3_bind_int64(made_, at, value);
    return *this;
  }
  statement& bind(int at, const std::string& value) { // which lives until it has run
    sqlite3_bind_blob64(made_, at, value.data(), value.size(), SQLITE_STATIC);
    return *this;
  }
  bool step() {
    const int code = sqlite3_step(made_);
    if (code != SQLITE_ROW && code != SQLITE_DONE)
      of_.refuse(code);
    return code == SQLITE_ROW;
  }
  [[nodiscard]] std::int64_t number(int column) const {
    return sqlite3_column_int64(made_, column);
  }
  [[nodiscard]] std::string bytes(int column) const {
    const auto* const data = static_cast<const char*>(sqlite3_column_blob(made_, column));
    return data == nullptr
             ? std::string{}
             : std::string{data, static_cast<std::size_t>(sqlite3_column_bytes(made_, column))};
  }

private:
  const lease_file& of_;
  sqlite3_stmt* made_ = nullptr;
};

void lease_file::refuse(int code) const {
  const bool busy = (code & 0xff) == SQLITE_BUSY || (code & 0xff) == SQLITE_LOCKED;
  const bool wrong = (code & 0xff) == SQLITE_NOTADB || (code & 0xff) == SQLITE_CORRUPT;
  const auto meaning = wrong  ? lease_errc::wrong_store
                       : busy ? lease_errc::store_unavailable
                              : lease_errc::store_failed;
  std::string text = "file " + options_.file + ": ";
  text += db_ != nullptr ? sqlite3_errmsg(db_) : sqlite3_errstr(code);
  text += wrong  ? "; choose another file, or move it away"
          : busy ? "; another process has had it for too long"
                 : "; look at the folder, its rights and the disk";
  throw lease_file_error{make_error_code(meaning), text, busy};
}

void lease_file::close() noexcept {
  sqlite3_close(std::exchange(db_, nullptr));
}

void lease_file::run(const char* sql) {
  if (const int code = sqlite3_exec(db_, sql, nullptr, nullptr, nullptr); code != SQLITE_OK)
    refuse(code);
}

std::int64_t lease_file::number(const char* sql) {
  statement s{*this, sql};
  return s.step() ? s.number(0) : 0;
}

void lease_file::open() {
  if (db_ != nullptr)
    return;
  try {
    if (const int code = sqlite3_open_v2(
          options_.file.c_str(), &db_,
          SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
        code != SQLITE_OK)
      refuse(code);
    sqlite3_busy_timeout(db_, static_cast<int>(milliseconds(options_.busy)));
    run("BEGIN IMMEDIATE"); // of several that begin at once one makes it
    const auto tables = number("SELECT count(*) FROM sqlite_master");
    const auto owner = number("PRAGMA application_id");
    const auto had = number("PRAGMA user_version");
    if (tables == 0 && owner == 0) {
      // Numbers go on from the date: above those of a file that was here before.
      const auto date = std::chrono::duration_cast<std::chrono::microseconds>(
                          std::chrono::system_clock::now().time_since_epoch())
                          .count();
      const std::string sql = "PRAGMA application_id = " + std::to_string(application)
                              + ";PRAGMA user_version = " + std::to_string(version)
                              + ";CREATE TABLE store (last INTEGER NOT NULL);"
                                "INSERT INTO store VALUES ("
                              + std::to_string(date)
                              + ");"
                                "CREATE TABLE leases (name BLOB PRIMARY KEY, revision INTEGER NOT "
                                "NULL, holder BLOB NOT NULL, ttl INTEGER NOT NULL) WITHOUT ROWID";
      run(sql.c_str());
    } else if (owner != application) {
      throw lease_file_error{make_error_code(lease_errc::wrong_store),
                             "file " + options_.file
                               + ": it is a database of another program; choose another file",
                             false};
    } else if (had != version) {
      throw lease_file_error{make_error_code(lease_errc::wrong_store),
                             "file " + options_.file + ": its version is " + std::to_string(had)
                               + ", and this program knows " + std::to_string(version)
                               + "; choose another file, or a later program",
                             false};
    }
    run("COMMIT");
    run("PRAGMA journal_mode = WAL");
    run("PRAGMA synchronous = FULL");
  } catch (...) {
    close(); // which ends the transaction
    throw;
  }
}

template <class F>
auto lease_file::used(F fn) {
  open();
  try {
    return fn();
  } catch (...) {
    close();
    throw;
  }
}

lease_record lease_file::find(const std::string& name) {
  statement s{*this, "SELECT revision, holder, ttl FROM leases WHERE name = ?"};
  if (!s.bind(1, name).step())
    return {};
  return {.revision = static_cast<std::uint64_t>(s.number(0)),
          .holder = s.bytes(1),
          .ttl = std::chrono::milliseconds(std::clamp<std::int64_t>(s.number(2), 0, 86'400'000))};
}

lease_record lease_file::read(const std::string& name) {
  return used([&] { return find(name); });
}

std::uint64_t lease_file::write(const std::string& name, const lease_record& record) {
  return used([&]() -> std::uint64_t {
    run("BEGIN IMMEDIATE");
    if (find(name).revision != record.revision) {
      run("ROLLBACK");
      return 0;
    }
    run("UPDATE store SET last = last + 1");
    const auto revision = number("SELECT last FROM store");
    {
      statement s{*this, "INSERT OR REPLACE INTO leases VALUES (?, ?, ?, ?)"};
      s.bind(1, name)
        .bind(2, revision)
        .bind(3, record.holder)
        .bind(4, milliseconds(record.ttl + std::chrono::milliseconds(1)))
        .step();
    }
    run("COMMIT");
    return static_cast<std::uint64_t>(revision);
  });
}

} // namespace troupe::detail
