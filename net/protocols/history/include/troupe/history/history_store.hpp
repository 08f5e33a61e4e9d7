#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <troupe/history/kept_message.hpp>
#include <troupe/runtime/bytes.hpp>
#include <troupe/runtime/deferred.hpp>
#include <troupe/runtime/failure.hpp>

namespace troupe {

class runtime;

/// Which messages of a topic are asked for: of those with `after` < sequence < `before` the newest ones.
struct history_query {
  std::uint64_t after = 0;
  std::uint64_t before = 0; ///< 0: no bound
  std::size_t limit = 0;
  std::size_t max_bytes = 0; ///< of all of them; one is given however long it is
};

/// What is heard from a store.
///
/// Thread: loop 0 of the runtime. Nothing is called inside of a function of the link or of `attach`.
class history_events {
public:
  /// It can be asked, and appended to, from now on: at first, and again after each `history_lost`. What was missed
  /// meanwhile is then read.
  ///
  /// \param epoch  names what it has: another one than before, if that is not what it was
  virtual void history_ready(std::uint64_t epoch) = 0;

  /// It is away, and comes back by itself if it can.
  virtual void history_lost(const failure& why) = 0;

  /// A message of a topic that is followed has been kept, whoever appended it. In the order of their sequences; those
  /// that are missing between two are read from the store, and those that come again are dropped.
  virtual void history_kept(std::string_view topic, kept_ref message) = 0;

  /// No more of them are known for now; what came is passed on.
  virtual void history_kept_so_far() = 0;

protected:
  ~history_events() = default;
};

/// One program's use of a store; destroying it ends that at once, and nothing is heard any more.
///
/// Thread: loop 0.
class history_link {
public:
  virtual ~history_link() = default;

  /// Keeps a message. The deferred fires when the store has it, in the store's own meaning of that.
  ///
  /// \param id  not empty: if the topic has one with this id, that one's place is returned, and nothing is kept
  ///
  /// Fails with: one of `history_errc`; it may be kept all the same, unless the store says `store_full`
  /// Order: of one topic, that of these calls.
  [[nodiscard]] virtual deferred<history_position>
  append(std::string_view topic, const shared_bytes& bytes, std::string_view id) = 0;

  /// Reads what is kept, with all whose `append` has been answered.
  [[nodiscard]] virtual deferred<history_page> read(std::string_view topic,
                                                    const history_query& query) = 0;

  /// Says whether `history_kept` is called for this topic.
  virtual void follow(std::string_view topic, bool on) = 0;

  /// Keeps what was handed over, and takes no more. Fires when that is done, or given up.
  [[nodiscard]] virtual deferred<void> close() = 0;
};

/// What keeps messages: the one thing that `kept_topics` need from outside. `memory_history` is one inside the process.
///
/// To write one, derive from this and from `history_link`; net/protocols/history/README.md has the rules.
class history_store {
public:
  virtual ~history_store() = default;

  /// Begins to use it, and goes on trying until the link is destroyed. One link at a time.
  ///
  /// \throws std::system_error of `history_errc` if that makes no sense; its text says why and what to do
  /// Thread: loop 0, or before it runs.
  /// Lifetime: `events` outlives the link.
  [[nodiscard]] virtual std::unique_ptr<history_link> attach(runtime& rt,
                                                             history_events& events) = 0;

  /// Returns how people call it, such as "memory".
  [[nodiscard]] virtual std::string name() const = 0;
};

/// A store as an argument has it: `std::make_shared<troupe::memory_history>()`.
using history_ref = std::shared_ptr<history_store>;

} // namespace troupe
