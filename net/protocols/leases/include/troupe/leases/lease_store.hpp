#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <troupe/runtime/deferred.hpp>
#include <troupe/runtime/time.hpp>

namespace troupe {

class runtime;

/// What a store has under the name of a lease.
struct lease_record {
  /// Of whatever was written last under this name: greater with each write, also than those before the store lost what
  /// it had. A name that nothing was written for has one, too.
  std::uint64_t revision = 0;

  /// Who has it; empty: nobody.
  std::string holder{};

  /// How long whoever has it may go without writing.
  duration ttl = duration::zero();
};

/// One program's use of a store; destroying it ends that at once, and nothing is heard any more.
///
/// Thread: loop 0.
class lease_link {
public:
  virtual ~lease_link() = default;

  /// Returns what is there under a name: what was written last, or something older.
  ///
  /// Fails with: one of `lease_errc`, or whatever the store says.
  [[nodiscard]] virtual deferred<lease_record> read(std::string_view name) = 0;

  /// Writes `holder` and `ttl` of a record if the present one's revision is `record.revision`, as one step.
  ///
  /// \returns the new revision
  /// Fails with: `lease_errc::conflict` if it is another one: nothing was written. After any other failure it may have
  /// been, or may be later.
  [[nodiscard]] virtual deferred<std::uint64_t> write(std::string_view name,
                                                      const lease_record& record) = 0;

  /// Says for which names it matters that they have become free.
  virtual void watch(std::string_view name, bool on) = 0;
};

/// What keeps the records of leases: the one thing that `leases` need from outside. `memory_leases` is one inside the
/// process.
///
/// To write one, derive from this and from `lease_link`; net/protocols/leases/README.md has the rules.
class lease_store {
public:
  virtual ~lease_store() = default;

  /// Begins to use it, and goes on trying until the link is destroyed. Any number of links at a time.
  ///
  /// \param freed  called on loop 0, and not inside of a function of the link, when a name that is watched may have become
  ///               free; it need not be, for the records are read again and again
  /// \throws std::system_error of `lease_errc` if that makes no sense; its text says why and what to do
  /// Thread: loop 0, or before it runs.
  [[nodiscard]] virtual std::unique_ptr<lease_link>
  attach(runtime& rt, std::function<void(std::string_view)> freed) = 0;

  /// Returns how people call it, such as "memory".
  [[nodiscard]] virtual std::string name() const = 0;
};

/// A store as an argument has it: `std::make_shared<troupe::memory_leases>()`.
using lease_store_ref = std::shared_ptr<lease_store>;

} // namespace troupe
