#include "sqlite_log.hpp"

#include <algorithm>
#include <chrono>

namespace troupe::detail {

namespace {

constexpr std::int64_t application = 0x74727068; // "trph"
constexpr std::int64_t version = 1;
constexpr std::size_t most_topics_known = 65'536;
constexpr int piece = 1000; // of what is dropped in one go

std::int64_t microseconds_since_1970() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
           std::chrono::system_clock::now().time_since_epoch())
    .count();
}

} // namespace

sqlite_log::sqlite_log(const sqlite_history_options& options)
  : options_(options), db_(options.file) {
  open();
  begin_ = db_.prepare("BEGIN IMMEDIATE");
  commit_ = db_.prepare("COMMIT");
  rollback_ = db_.prepare("ROLLBACK");
  find_topic_ = db_.prepare("SELECT id, last FROM topics WHERE name = ?");
  add_topic_ = db_.prepare("INSERT INTO topics (name, last) VALUES (?, 0) RETURNING id");
  count_ = db_.prepare("SELECT count(*) FROM messages WHERE topic = ?");
  set_last_ = db_.prepare("UPDATE topics SET last = ?2 WHERE id = ?1");
  add_ = db_.prepare("INSERT INTO messages (sequence, topic, previous, time, id, body)"
                     " VALUES (?, ?, ?, ?, ?, ?)");
  find_id_ = db_.prepare("SELECT sequence FROM messages WHERE topic = ? AND id = ?");
  trim_ = db_.prepare("DELETE FROM messages WHERE topic = ?1 AND sequence <="
                      " (SELECT sequence FROM messages WHERE topic = ?1"
                      " ORDER BY sequence DESC LIMIT 1 OFFSET ?2)");
  read_ = db_.prepare("SELECT sequence, previous, time, id, body FROM messages"
                      " WHERE topic = ? AND sequence > ? AND sequence < ?"
                      " ORDER BY sequence DESC LIMIT ?");
  oldest_ = db_.prepare("SELECT time FROM messages ORDER BY sequence LIMIT 1");
  drop_ = db_.prepare("DELETE FROM messages WHERE sequence <= (SELECT max(sequence) FROM"
                      " (SELECT sequence, time FROM messages ORDER BY sequence LIMIT ?1)"
                      " WHERE time < ?2) RETURNING 1");
}

void sqlite_log::open() {
  // Nobody else may have the file, from the first look on: so the index of the journal is in memory, and it is faster.
  db_.run("PRAGMA locking_mode = EXCLUSIVE");
  const auto pages = db_.number("PRAGMA page_count");
  const auto owner = db_.number("PRAGMA application_id");
  if (pages > 0 && owner != application)
    throw sqlite_error{
      history_errc::wrong_store,
      "file " + db_.file() + ": it is a database of another program; choose another file", 0};
  if (const auto had = db_.number("PRAGMA user_version"); pages > 0 && had != version)
    throw sqlite_error{history_errc::wrong_store,
                       "file " + db_.file() + ": its version is " + std::to_string(had)
                         + ", and this program knows " + std::to_string(version)
                         + "; choose another file, or a later program",
                       0};
  db_.run("PRAGMA journal_mode = WAL");
  db_.run("PRAGMA synchronous = FULL"); // each commit is fsynced
  db_.run("PRAGMA wal_autocheckpoint = 4000");
  db_.run("PRAGMA journal_size_limit = 33554432");
  if (options_.max_bytes != 0) {
    const auto page = static_cast<std::uint64_t>(db_.number("PRAGMA page_size"));
    const auto most = std::max<std::uint64_t>(options_.max_bytes / page, 16);
    db_.run(("PRAGMA max_page_count = " + std::to_string(most)).c_str());
  }
  if (pages == 0)
    make();
  epoch_ = static_cast<std::uint64_t>(db_.number("SELECT epoch FROM store"));
  last_ = static_cast<std::uint64_t>(db_.number("SELECT max(last) FROM topics"));
}

void sqlite_log::make() {
  const std::string sql =
    "BEGIN IMMEDIATE;"
    "PRAGMA application_id = "
    + std::to_string(application)
    + ";"
      "PRAGMA user_version = "
    + std::to_string(version)
    + ";"
      "CREATE TABLE store (epoch INTEGER NOT NULL);"
      "INSERT INTO store VALUES ("
    + std::to_string(microseconds_since_1970())
    + ");"
      // A topic stays when its messages are gone: what came last is how anybody knows that some are missing.
      "CREATE TABLE topics (id INTEGER PRIMARY KEY, name BLOB NOT NULL UNIQUE, last INTEGER NOT "
      "NULL);"
      "CREATE INDEX topics_by_last ON topics (last);"
      "CREATE TABLE messages (sequence INTEGER PRIMARY KEY, topic INTEGER NOT NULL,"
      " previous INTEGER NOT NULL, time INTEGER NOT NULL, id BLOB, body BLOB NOT NULL);"
      "CREATE INDEX messages_by_topic ON messages (topic);"
      "CREATE UNIQUE INDEX messages_by_id ON messages (topic, id) WHERE id IS NOT NULL;"
      "COMMIT";
  db_.run(sql.c_str());
}

std::int64_t sqlite_log::now() const {
  return options_.date ? options_.date() : microseconds_since_1970() / 1000;
}

// -- writing --------------------------------------------------------------------------------------

void sqlite_log::append(log_entry* first, log_entry* last) {
  const auto before = last_;
  const auto time = now();
  try {
    begin_.with().run();
    for (auto* entry = first; entry != last; ++entry)
      append(*entry, time);
    for (auto* const t : touched_) {
      set_last_.with(t->id, static_cast<std::int64_t>(t->last)).run();
      trim(*t);
      t->touched = false;
    }
    touched_.clear();
    commit_.with().run();
  } catch (...) {
    if (db_.in_transaction()) {
      try {
        rollback_.with().run();
      } catch (const sqlite_error&) { // the reason has been told
      }
    }
    last_ = before;
    touched_.clear();
    topics_.clear(); // what is known of them may not have come to be
    throw;
  }
  if (topics_.size() > most_topics_known)
    topics_.clear();
}

sqlite_log::topic& sqlite_log::topic_of(const std::string& name) {
  const auto [found, is_new] = topics_.try_emplace(name);
  auto& t = found->second;
  if (!is_new)
    return t;
  if (find_topic_.with(std::string_view{name}).step()) {
    t.id = find_topic_.number(0);
    t.last = static_cast<std::uint64_t>(find_topic_.number(1));
    find_topic_.reset();
    count_.with(t.id).step();
    t.count = static_cast<std::size_t>(count_.number(0));
    count_.reset();
  } else {
    add_topic_.with(std::string_view{name}).step();
    t.id = add_topic_.number(0);
    add_topic_.run();
  }
  return t;
}

void sqlite_log::append(log_entry& entry, std::int64_t time) {
  auto& t = topic_of(entry.topic);
  if (!entry.id.empty()) {
    const bool had = find_id_.with(t.id, std::string_view{entry.id}).step();
    if (had)
      entry.at = {epoch_, static_cast<std::uint64_t>(find_id_.number(0))};
    find_id_.reset();
    if (had)
      return;
  }
  entry.at = {epoch_, ++last_};
  const auto sequence = static_cast<std::int64_t>(entry.at.sequence);
  const auto previous = static_cast<std::int64_t>(t.last);
  if (entry.id.empty())
    add_.with(sequence, t.id, previous, time, nullptr, entry.bytes.text()).run();
  else
    add_.with(sequence, t.id, previous, time, std::string_view{entry.id}, entry.bytes.text()).run();
  entry.message = std::make_shared<const kept_message>(
    kept_message{entry.at, t.last, time, entry.id, entry.bytes});
  t.last = entry.at.sequence;
  ++t.count;
  if (!t.touched) {
    t.touched = true;
    touched_.push_back(&t);
  }
}

void sqlite_log::trim(topic& of) {
  const auto most = options_.per_topic;
  if (most == 0 || of.count <= most + most / 8)
    return;
  trim_.with(of.id, static_cast<std::int64_t>(most)).run();
  of.count = most;
}

bool sqlite_log::drop_old() {
  const auto before =
    now() - std::chrono::duration_cast<std::chrono::milliseconds>(options_.max_age).count();
  const bool any = oldest_.with().step() && oldest_.number(0) < before;
  oldest_.reset();
  if (!any)
    return false;
  int dropped = 0;
  drop_.with(std::int64_t{piece}, before);
  while (drop_.step())
    ++dropped;
  drop_.reset();
  if (dropped > 0)
    topics_.clear(); // their counts have changed
  return dropped >= piece;
}

// -- reading --------------------------------------------------------------------------------------

history_page sqlite_log::read(const std::string& name, const history_query& q) {
  constexpr auto most = static_cast<std::uint64_t>(INT64_MAX);
  history_page page;
  page.epoch = epoch_;
  if (!find_topic_.with(std::string_view{name}).step()) {
    find_topic_.reset();
    return page;
  }
  const auto topic = find_topic_.number(0);
  page.floor = page.last = static_cast<std::uint64_t>(find_topic_.number(1));
  find_topic_.reset();
  std::size_t bytes = 0;
  read_.with(topic, static_cast<std::int64_t>(std::min(q.after, most)),
             static_cast<std::int64_t>(q.before == 0 ? most : std::min(q.before, most)),
             static_cast<std::int64_t>(q.limit));
  while (read_.step()) {
    const auto body = read_.bytes(4);
    bytes += body.size();
    if (bytes > q.max_bytes && !page.messages.empty())
      break;
    page.messages.push_back(std::make_shared<const kept_message>(
      kept_message{{epoch_, static_cast<std::uint64_t>(read_.number(0))},
                   static_cast<std::uint64_t>(read_.number(1)),
                   read_.number(2),
                   std::string{read_.bytes(3)},
                   shared_bytes{body}}));
  }
  read_.reset();
  std::ranges::reverse(page.messages);
  if (!page.messages.empty())
    page.floor = page.messages.front()->previous;
  return page;
}

} // namespace troupe::detail
