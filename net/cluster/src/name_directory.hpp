#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <caf/actor_control_block.hpp>

namespace troupe::detail {

struct peer;

/// Tells whether an actor has not ended: one that has may still be referred to, also by its name, until all that
/// waits for its end has been told.
/// Thread: any.
[[nodiscard]] bool is_alive(const caf::strong_actor_ptr& who);

/// Who serves which name, on this node and on others.
///
/// Thread: `local` and `is_served`: any, as `put` and `take`; the rest: loop 0.
class name_directory {
public:
  /// Returns who serves a name at the moment: an actor, or whoever has a local name.
  using whom = std::function<caf::strong_actor_ptr()>;

  // -- here -------------------------------------------------------------------------------------

  /// Gives `name` to `who`, if nobody who lives has it here. Returns the number of that, or 0.
  /// \param outlasts_drain  whether others are told of it while the node drains
  std::uint64_t put(const std::string& name, whom who, bool outlasts_drain = false);

  /// Takes `name` away, if it is what `instance` stands for, or whatever it is (0). Returns whether it was.
  bool take(const std::string& name, std::uint64_t instance);

  [[nodiscard]] caf::strong_actor_ptr local(const std::string& name) const;

  /// Returns the number of who serves `name` here; 0 if nobody does.
  [[nodiscard]] std::uint64_t instance(const std::string& name) const;

  [[nodiscard]] bool outlasts_drain(const std::string& name) const;
  [[nodiscard]] std::vector<std::string> names_here() const;

  // -- elsewhere --------------------------------------------------------------------------------

  void set(peer& who, std::string_view name, std::uint64_t instance);
  void remove(peer& who, std::string_view name);

  /// Returns which instance a node serves; 0 if it does not.
  [[nodiscard]] std::uint64_t instance(const std::string& name, std::string_view node) const;

  /// Returns the nodes that serve a name.
  [[nodiscard]] std::vector<peer*> nodes(const std::string& name) const;

  // -- both -------------------------------------------------------------------------------------

  /// Tells whether anybody serves `name`, or `node` does, if that is not empty; `us` is this one.
  [[nodiscard]] bool is_served(const std::string& name, const std::string& node,
                               const std::string& us) const;
  [[nodiscard]] std::size_t served_here() const;
  [[nodiscard]] std::size_t served_elsewhere() const;

private:
  struct here {
    std::uint64_t instance;
    whom who;
    bool outlasts_drain;
  };
  struct elsewhere {
    peer* who;
    std::uint64_t instance;
  };

  mutable std::mutex mutex_;
  std::uint64_t last_instance_ = 0;
  std::unordered_map<std::string, here> here_;
  std::unordered_map<std::string, std::vector<elsewhere>> elsewhere_;
};

} // namespace troupe::detail
