#include <troupe/sqlite_history/sqlite_history.hpp>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <thread>
#include <unordered_set>
#include <utility>
#include <vector>

#include <troupe/runtime/reactor.hpp>
#include <troupe/runtime/runtime.hpp>

#include "sqlite_log.hpp"

namespace troupe {

namespace {

using detail::log_entry;
using detail::sqlite_error;
using detail::sqlite_log;

struct question {
  std::string topic;
  history_query query;
};

/// What the thread has to do, in order.
struct job {
  std::optional<log_entry> entry;
  std::optional<question> read;
};

/// What came of some of it, in order.
struct results {
  std::vector<log_entry> kept;
  std::vector<failure> refused; // as many entries again, that were not kept
  std::vector<outcome<history_page>> read;
  std::optional<failure> lost; // nothing is written any more
  bool closed = false;         // it was the last
};

class sqlite_link final : public history_link {
public:
  sqlite_link(runtime& rt, const sqlite_history_options& options, history_events& events)
    : rt_(rt), options_(options), events_(events), log_(options_),
      here_(std::make_shared<sqlite_link*>(this)) {
    rt_.reactor().call_from_thread([here = std::weak_ptr{here_}] {
      if (const auto self = here.lock())
        (*self)->events_.history_ready((*self)->log_.epoch());
    });
    thread_ = std::thread([this] { work(); });
  }

  ~sqlite_link() override {
    {
      const std::lock_guard hold{mutex_};
      ending_ = true;
    }
    more_.notify_one();
    thread_.join();
  }

  deferred<history_position> append(std::string_view topic, const shared_bytes& bytes,
                                    std::string_view id) override {
    promise<history_position> made;
    auto result = made.get_deferred();
    appending_.push_back(std::move(made));
    add({log_entry{std::string{topic}, std::string{id}, bytes}, {}});
    return result;
  }

  deferred<history_page> read(std::string_view topic, const history_query& query) override {
    promise<history_page> made;
    auto result = made.get_deferred();
    reading_.push_back(std::move(made));
    add({{}, question{std::string{topic}, query}});
    return result;
  }

  void follow(std::string_view topic, bool on) override {
    on ? void(followed_.emplace(topic)) : void(followed_.erase(std::string{topic}));
  }

  deferred<void> close() override {
    auto result = closed_.get_deferred();
    {
      const std::lock_guard hold{mutex_};
      closing_ = true;
    }
    more_.notify_one();
    return result;
  }

private:
  void add(job what) {
    bool first = false;
    {
      const std::lock_guard hold{mutex_};
      first = jobs_.empty();
      jobs_.push_back(std::move(what));
    }
    if (first)
      more_.notify_one();
  }

  // -- the store's thread -------------------------------------------------------------------------

  void work() {
    const bool ages = options_.max_age > duration::zero();
    const auto look =
      std::clamp<duration>(options_.max_age / 16, std::chrono::seconds(1), std::chrono::minutes(1));
    auto next_look = std::chrono::steady_clock::now();
    std::vector<job> jobs;
    std::unique_lock lock{mutex_};
    for (;;) {
      const auto due = [this] {
        return !jobs_.empty() || ending_ || closing_;
      };
      if (ages)
        more_.wait_until(lock, next_look, due);
      else
        more_.wait(lock, due);
      jobs.swap(jobs_);
      const bool close = std::exchange(closing_, false);
      const bool end = ending_;
      lock.unlock();
      deal_with(jobs);
      jobs.clear();
      // Each piece is a transaction of its own: not one for every batch, and who appends waits for one at most.
      if (const auto now = std::chrono::steady_clock::now(); ages && now >= next_look)
        next_look = drop_old() ? now : now + look;
      if (close) {
        results last;
        last.closed = true;
        hand_over(std::move(last));
      }
      lock.lock();
      if (end && jobs_.empty())
        return;
    }
  }

  // Appends that follow each other share a transaction, and so an fsync.
  void deal_with(std::vector<job>& jobs) {
    for (auto i = jobs.begin(); i != jobs.end();) {
      results r;
      std::vector<log_entry> entries;
      std::size_t bytes = 0;
      for (; i != jobs.end() && i->entry && entries.size() < options_.max_batch
             && bytes < options_.max_batch_bytes;
           ++i) {
        bytes += i->entry->bytes.size();
        entries.push_back(std::move(*i->entry));
      }
      if (!entries.empty())
        write(std::move(entries), r);
      for (; i != jobs.end() && i->read; ++i)
        r.read.push_back(read(*i->read));
      hand_over(std::move(r));
    }
  }

  void write(std::vector<log_entry> entries, results& r) {
    if (lost_) {
      r.refused.assign(entries.size(), *lost_);
      return;
    }
    try {
      log_.append(entries.data(), entries.data() + entries.size());
      r.kept = std::move(entries);
    } catch (const sqlite_error& e) {
      const failure why{e.code(), text_of(e)};
      r.refused.assign(entries.size(), why);
      if (e.lost_sync() || e.code() == history_errc::store_corrupt) {
        lost_ = why;
        r.lost = why;
      }
    } catch (...) { // no memory
      r.refused.assign(entries.size(), failure::current());
    }
  }

  outcome<history_page> read(const question& q) {
    try {
      return log_.read(q.topic, q.query);
    } catch (const sqlite_error& e) {
      return failure{e.code(), text_of(e)};
    } catch (...) {
      return failure::current();
    }
  }

  // Removes a piece of what is too old. Returns whether there may be more.
  bool drop_old() {
    try {
      return !lost_ && log_.drop_old();
    } catch (const sqlite_error&) { // full, or failed: the next append tells
      return false;
    }
  }

  // The text of a system error ends with that of its code, and so does that of a failure.
  static std::string text_of(const sqlite_error& e) {
    std::string text = e.what();
    const auto tail = ": " + e.code().message();
    if (text.ends_with(tail))
      text.resize(text.size() - tail.size());
    return text;
  }

  void hand_over(results r) {
    rt_.reactor().call_from_thread(
      [here = std::weak_ptr{here_}, r = std::make_shared<results>(std::move(r))] {
        if (const auto self = here.lock())
          (*self)->done(*r);
      });
  }

  // -- loop 0 -------------------------------------------------------------------------------------

  void done(results& r) {
    if (r.lost)
      events_.history_lost(*r.lost);
    for (auto& e : r.kept)
      if (e.message && followed_.contains(e.topic))
        events_.history_kept(e.topic, e.message);
    if (!r.kept.empty())
      events_.history_kept_so_far();
    for (const auto& e : r.kept)
      next(appending_).callback(e.at);
    for (const auto& why : r.refused)
      next(appending_).errback(why);
    for (auto& page : r.read)
      next(reading_).fire(std::move(page));
    if (r.closed)
      closed_.callback();
  }

  template <class T>
  static promise<T> next(std::deque<promise<T>>& of) {
    auto first = std::move(of.front());
    of.pop_front();
    return first;
  }

  runtime& rt_;
  const sqlite_history_options options_;
  history_events& events_;
  std::unordered_set<std::string> followed_;
  std::deque<promise<history_position>> appending_;
  std::deque<promise<history_page>> reading_;
  promise<void> closed_;

  sqlite_log log_;                // the thread's
  std::optional<failure> lost_{}; // likewise

  std::mutex mutex_;
  std::condition_variable more_;
  std::vector<job> jobs_; // guarded by the mutex, as what follows
  bool closing_ = false;
  bool ending_ = false;

  const std::shared_ptr<sqlite_link*> here_; // as long as this is
  std::thread thread_;
};

} // namespace

sqlite_history::sqlite_history(sqlite_history_options options) : options_(std::move(options)) {
  if (options_.file.empty() || options_.file == ":memory:")
    throw std::invalid_argument(
      "sqlite_history_options: `file` names no file; memory_history keeps "
      "messages in memory");
  if (options_.max_batch == 0 || options_.max_batch_bytes == 0)
    throw std::invalid_argument(
      "sqlite_history_options: max_batch or max_batch_bytes is 0; nothing could be written");
}

sqlite_history::~sqlite_history() = default;

std::string sqlite_history::name() const {
  return "sqlite " + options_.file;
}

std::unique_ptr<history_link> sqlite_history::attach(runtime& rt, history_events& events) {
  return std::make_unique<sqlite_link>(rt, options_, events);
}

} // namespace troupe
