#include <troupe/runtime/names.hpp>

#include <algorithm>
#include <functional>
#include <map>
#include <mutex>
#include <unordered_map>

#include <asio/execution_context.hpp>
#include <caf/abstract_actor.hpp>
#include <caf/attachable.hpp>

#include <troupe/runtime/event_loop.hpp>
#include <troupe/runtime/loop_scheduler.hpp>
#include <troupe/runtime/runtime.hpp>

namespace troupe {

namespace {

bool lives(const caf::strong_actor_ptr& who) {
  return who
         && !who->get()->getf(caf::abstract_actor::is_terminated_flag
                              | caf::abstract_actor::is_cleaned_up_flag);
}

} // namespace

namespace detail {

/// Who has which name. An actor with names carries one watch, which takes them away at its end.
class name_table : public std::enable_shared_from_this<name_table> {
public:
  bool put(std::string name, const caf::strong_actor_ptr& who);
  bool remove(std::string_view name);
  caf::strong_actor_ptr find(std::string_view name) const;
  std::vector<std::string> all() const;

  /// Takes all names of an actor that has ended away.
  void ended(const caf::abstract_actor* who);

  /// Forgets all, and takes nothing more.
  void close();

private:
  using table = std::map<std::string, caf::strong_actor_ptr, std::less<>>;

  mutable std::mutex mutex_;
  table by_name_;
  std::unordered_map<const caf::abstract_actor*, std::vector<std::string>> watched_;
  bool closed_ = false;
};

} // namespace detail

namespace {

/// Tells the names of the end of the actor that it is attached to.
class name_watch final : public caf::attachable {
public:
  name_watch(std::weak_ptr<detail::name_table> table, const caf::abstract_actor* who)
    : table_(std::move(table)), who_(who) {}

  void actor_exited(const caf::error&, caf::execution_unit*) override {
    if (const auto table = table_.lock())
      table->ended(who_);
  }

private:
  std::weak_ptr<detail::name_table> table_;
  const caf::abstract_actor* who_;
};

/// Keeps a runtime's names at its first loop.
class names_service final : public asio::execution_context::service {
public:
  using key_type = names_service;
  static inline asio::execution_context::id id;
  explicit names_service(asio::execution_context& context)
    : service(context), table(std::make_shared<detail::name_table>()) {}
  const std::shared_ptr<detail::name_table> table;

private:
  void shutdown() override { table->close(); }
};

} // namespace

// Actors are let go without the mutex: the last reference ends an actor, which comes back here.
bool detail::name_table::put(std::string name, const caf::strong_actor_ptr& who) {
  if (!lives(who))
    return false;
  const auto* const key = who->get();
  caf::strong_actor_ptr before;
  bool first_one = false;
  {
    const std::lock_guard hold{mutex_};
    if (closed_)
      return false;
    auto& has = by_name_[name];
    if (has == who)
      return true;
    if (lives(has))
      return false;
    before = std::exchange(has, who);
    const auto [watched, is_new] = watched_.try_emplace(key);
    watched->second.push_back(std::move(name));
    first_one = is_new;
  }
  // Without the mutex: the watch of an actor that has ended is called inside attach().
  if (first_one)
    who->get()->attach(caf::attachable_ptr{new name_watch{weak_from_this(), key}});
  return lives(who);
}

bool detail::name_table::remove(std::string_view name) {
  caf::strong_actor_ptr had;
  const std::unique_lock hold{mutex_};
  const auto found = by_name_.find(name);
  if (found == by_name_.end())
    return false;
  had = std::move(found->second);
  by_name_.erase(found);
  if (const auto watched = watched_.find(had->get()); watched != watched_.end())
    std::erase(watched->second, name); // its watch stays, for the next name
  return true;
}

caf::strong_actor_ptr detail::name_table::find(std::string_view name) const {
  const std::lock_guard hold{mutex_};
  const auto found = by_name_.find(name);
  return found != by_name_.end() && lives(found->second) ? found->second : nullptr;
}

std::vector<std::string> detail::name_table::all() const {
  const std::lock_guard hold{mutex_};
  std::vector<std::string> result;
  for (const auto& [name, who] : by_name_)
    if (lives(who))
      result.push_back(name);
  return result;
}

void detail::name_table::ended(const caf::abstract_actor* who) {
  std::vector<caf::strong_actor_ptr> dropped;
  const std::lock_guard hold{mutex_};
  const auto watched = watched_.find(who);
  if (watched == watched_.end())
    return;
  for (const auto& name : watched->second)
    if (const auto found = by_name_.find(name);
        found != by_name_.end() && found->second->get() == who) { // else a successor has it
      dropped.push_back(std::move(found->second));
      by_name_.erase(found);
    }
  watched_.erase(watched);
}

void detail::name_table::close() {
  table dropped;
  const std::lock_guard hold{mutex_};
  closed_ = true;
  watched_.clear();
  dropped.swap(by_name_);
}

// -- named_actor --------------------------------------------------------------------------------

caf::strong_actor_ptr named_actor::who() const {
  return table_->find(name_);
}

bool named_actor::send_message(caf::message content, caf::strong_actor_ptr sender) const {
  const auto to = who();
  if (!to)
    return false;
  to->enqueue(std::move(sender), caf::make_message_id(), std::move(content), nullptr);
  return true;
}

// -- names --------------------------------------------------------------------------------------

names::names(runtime& rt) : names(rt.system()) {}

names::names(caf::actor_system& system)
  : table_(asio::use_service<names_service>(loop_scheduler::of(system).loop(0).io()).table) {}

bool names::put_pointer(std::string name, caf::strong_actor_ptr who) const {
  if (!who)
    throw std::logic_error("names: " + name + " was put for no actor");
  return table_->put(std::move(name), who);
}

bool names::remove(std::string_view name) const {
  return table_->remove(name);
}

caf::actor names::whereis(std::string_view name) const {
  return caf::actor_cast<caf::actor>(table_->find(name));
}

std::vector<std::string> names::all() const {
  return table_->all();
}

names runtime::names() {
  return troupe::names{*system_};
}

} // namespace troupe
