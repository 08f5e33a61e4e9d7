#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <caf/actor_config.hpp>
#include <caf/monitorable_actor.hpp>

#include <troupe/actors/router.hpp>

namespace troupe {
class loop_scheduler;
}

namespace troupe::detail {

/// What a router is: an actor that has no mailbox, and passes on in `enqueue` what it is sent.
///
/// Its members are in a list behind a mutex, of which each loop has a copy, made anew when the list has changed:
/// who routes on a loop reads a number that only joining and leaving writes, and what is his loop's own.
///
/// Thread: any.
class router_actor final : public caf::monitorable_actor {
public:
  router_actor(caf::actor_config& cfg, loop_scheduler& scheduler, router_options options);

  bool join(const caf::strong_actor_ptr& member, std::string_view name);
  bool leave(const caf::abstract_actor& member);
  std::vector<caf::actor> members() const;
  std::size_t size() const;
  outcome<chosen_member> choose(const caf::type_erased_tuple& message);
  caf::actor member_for(std::uint64_t hash);

  /// Lets go of all members, and takes no more.
  void close();

  // -- CAF's side -------------------------------------------------------------------------------

  using caf::monitorable_actor::enqueue;
  void enqueue(caf::mailbox_element_ptr what, caf::execution_unit* eu) override;
  bool cleanup(caf::error&& reason, caf::execution_unit* host) override;
  void on_destroy() override;
  const char* name() const override { return "router"; }

private:
  /// A member, as loops see it. They do not keep it: one that sleeps would keep what has left.
  struct route {
    caf::weak_actor_ptr who;
    std::shared_ptr<std::atomic<std::size_t>> outstanding;   // questions
    std::shared_ptr<const std::atomic<std::size_t>> waiting; // in its mailbox; null if unknown
  };
  struct table {
    std::vector<route> routes;
    std::vector<std::pair<std::uint64_t, std::uint32_t>> ring; // a point, and whose
  };
  struct member {
    caf::strong_actor_ptr who;
    std::uint64_t place; // the number from which its points on the ring are made
    route seen;
  };
  /// Where a loop, or all other threads together, is.
  struct alignas(64) turn {
    std::uint64_t version = 0; // that of `routes`
    std::shared_ptr<const table> routes;
    std::size_t next = 0;
  };

  /// Those that were met and had ended. They are let go behind the turn: it may be the last that keeps them,
  /// and what they were made of may send to this router.
  struct ended_members {
    std::vector<caf::strong_actor_ptr> let_go;
    /// Returns who that is, or null if it has ended.
    caf::strong_actor_ptr living(const caf::weak_actor_ptr& weak);
  };

  template <class F>
  auto in_turn(F&& fn);
  const table& up_to_date(turn& at);
  std::shared_ptr<const table> current_table();
  std::size_t load_of(const route& r) const noexcept;
  caf::strong_actor_ptr pick(turn& at, const caf::type_erased_tuple& message, failure& why,
                             ended_members& ended,
                             std::shared_ptr<std::atomic<std::size_t>>* outstanding);
  caf::strong_actor_ptr on_ring(const table& routes, std::uint64_t hash,
                                ended_members& ended) const;
  void give_all(caf::mailbox_element& what, caf::execution_unit* eu);
  void refuse(const caf::mailbox_element& what, const failure& why, caf::execution_unit* eu) const;
  failure nobody() const;

  loop_scheduler& scheduler_;
  const router_options options_;
  std::vector<turn> turns_; // by loop; the last is for other threads, under outside_
  std::mutex outside_;

  mutable std::mutex mutex_;
  std::vector<member> members_;
  std::shared_ptr<const table> table_; // of these members; null if they have changed
  bool closed_ = false;
  std::atomic<std::uint64_t> version_{1}; // of members_
};

} // namespace troupe::detail
