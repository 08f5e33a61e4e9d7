#include "sqlite_database.hpp"

#include <utility>

#include <sqlite3.h>

namespace troupe::detail {

namespace {

history_errc meaning_of(int code) noexcept {
  switch (code & 0xff) {
  case SQLITE_FULL:
    return history_errc::store_full;
  case SQLITE_CORRUPT:
    return history_errc::store_corrupt;
  case SQLITE_NOTADB:
    return history_errc::wrong_store;
  case SQLITE_BUSY:
  case SQLITE_LOCKED:
    return history_errc::store_in_use;
  default:
    return history_errc::store_failed;
  }
}

const char* advice(history_errc meaning) noexcept {
  switch (meaning) {
  case history_errc::store_full:
    return "; make room, or keep less";
  case history_errc::store_corrupt:
    return "; restore it from a copy, or move it away to begin anew";
  case history_errc::wrong_store:
    return "; choose another file, or move it away to begin anew";
  case history_errc::store_in_use:
    return "; stop the other process, or choose another file";
  default:
    return "; look at the folder, its rights and the disk";
  }
}

[[noreturn]] void refuse(sqlite3* db, int code, const std::string& file) {
  const int extended = db != nullptr ? sqlite3_extended_errcode(db) : code;
  const auto meaning = meaning_of(code);
  std::string text = "file " + file + ": ";
  text += db != nullptr ? sqlite3_errmsg(db) : sqlite3_errstr(code);
  if (meaning == history_errc::store_failed)
    if (const char* const why = sqlite3_errstr(extended);
        why != nullptr && text.find(why) == text.npos)
      text += std::string{" ("} + why + ')';
  throw sqlite_error{meaning, text + advice(meaning), extended};
}

} // namespace

bool sqlite_error::lost_sync() const noexcept {
  return sqlite_code == SQLITE_IOERR_FSYNC || sqlite_code == SQLITE_IOERR_DIR_FSYNC;
}

// -- statements -----------------------------------------------------------------------------------

sqlite_statement::sqlite_statement(sqlite3* of, const char* sql, const std::string& file)
  : of_(of), file_(&file) {
  if (const int code =
        sqlite3_prepare_v3(of, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement_, nullptr);
      code != SQLITE_OK)
    refuse(of, code, file);
}

sqlite_statement::sqlite_statement(sqlite_statement&& other) noexcept
  : of_(other.of_), statement_(std::exchange(other.statement_, nullptr)), file_(other.file_) {}

sqlite_statement& sqlite_statement::operator=(sqlite_statement&& other) noexcept {
  std::swap(of_, other.of_);
  std::swap(statement_, other.statement_);
  std::swap(file_, other.file_);
  return *this;
}

sqlite_statement::~sqlite_statement() {
  sqlite3_finalize(statement_);
}

bool sqlite_statement::step() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW)
    return true;
  if (code == SQLITE_DONE)
    return false;
  try {
    refuse(of_, code, *file_);
  } catch (...) {
    reset();
    throw;
  }
}

void sqlite_statement::reset() noexcept {
  sqlite3_reset(statement_);
}

std::int64_t sqlite_statement::number(int column) const {
  return sqlite3_column_int64(statement_, column);
}

std::string_view sqlite_statement::bytes(int column) const {
  const auto* const data = static_cast<const char*>(sqlite3_column_blob(statement_, column));
  return data == nullptr
           ? std::string_view{}
           : std::string_view{data,
                              static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

void sqlite_statement::bind(int at, std::int64_t value) {
  sqlite3_bind_int64(statement_, at, value);
}

void sqlite_statement::bind(int at, std::string_view value) {
  if (value.empty())
    sqlite3_bind_zeroblob(statement_, at, 0);
  else
    sqlite3_bind_blob64(statement_, at, value.data(), value.size(), SQLITE_STATIC);
}

void sqlite_statement::bind(int at, std::nullptr_t) {
  sqlite3_bind_null(statement_, at);
}

// -- databases ------------------------------------------------------------------------------------

sqlite_database::sqlite_database(std::string file) : file_(std::move(file)) {
  const int code = sqlite3_open_v2(
    file_.c_str(), &db_, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  if (code == SQLITE_OK)
    return;
  try {
    refuse(db_, code, file_);
  } catch (...) {
    sqlite3_close(db_);
    throw;
  }
}

sqlite_database::~sqlite_database() {
  sqlite3_close(db_);
}

void sqlite_database::run(const char* sql) {
  if (const int code = sqlite3_exec(db_, sql, nullptr, nullptr, nullptr); code != SQLITE_OK)
    refuse(db_, code, file_);
}

std::int64_t sqlite_database::number(const char* sql) {
  auto query = prepare(sql);
  return query.step() ? query.number(0) : 0;
}

bool sqlite_database::in_transaction() const noexcept {
  return sqlite3_get_autocommit(db_) == 0;
}

} // namespace troupe::detail
