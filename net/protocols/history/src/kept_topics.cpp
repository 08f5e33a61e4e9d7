#include <troupe/history/kept_topics.hpp>

#include <stdexcept>

#include <troupe/runtime/threads.hpp>

#include "history_core.hpp"

namespace troupe {

namespace {

/// Takes an answer to the actor that waits for it, from any thread. Destroyed without one, it says so.
template <class T>
class actor_answer {
public:
  actor_answer(basic_actor& self, std::shared_ptr<detail::thread_answer<T>> made)
    : actor_(self.ctrl()), id_(self.expect_response(std::move(made))) {}
  actor_answer(actor_answer&&) noexcept = default;
  actor_answer& operator=(actor_answer&&) = delete;
  ~actor_answer() {
    if (actor_)
      give(failure{errc::runtime_stopped});
  }
  void operator()(outcome<T> got) { give(std::move(got)); }

private:
  void give(outcome<T> got) {
    const auto to = std::exchange(actor_, nullptr);
    to->enqueue(
      nullptr, id_.response_id(),
      caf::make_message(detail::boxed_outcome{std::make_shared<outcome<T>>(std::move(got))}),
      nullptr);
  }

  caf::strong_actor_ptr actor_;
  caf::message_id id_;
};

} // namespace

// -- kept_topic -----------------------------------------------------------------------------------

const std::string& kept_topic::name() const noexcept {
  static const std::string none;
  return name_ ? *name_ : none;
}

deferred<history_position> kept_topic::append(basic_actor& self, const shared_bytes& bytes,
                                              append_options options) const {
  auto made = std::make_shared<detail::thread_answer<history_position>>();
  auto waits = made->start();
  core_->on_loop_0(
    [name = name_, bytes, id = std::move(options.id),
     to = actor_answer<history_position>{self, std::move(made)}](
      detail::history_core& core) mutable { core.append(*name, bytes, id, std::move(to)); });
  return waits;
}

deferred<resumed> kept_topic::begin(pinned_actor& self, history_position since, std::size_t limit,
                                    detail::write_published write,
                                    std::function<void(const kept_message&)> fn) const {
  self.loop().expect_here("resume", "call it in the actor's own code");
  return core_->audience(self.loop().index())
    .resume(self, *name_, since, limit, write, std::move(fn));
}

void kept_topic::leave(pinned_actor& self) const {
  self.loop().expect_here("leave", "call it in the actor's own code");
  core_->audience(self.loop().index()).leave(self, *name_);
}

deferred<history_page> kept_topic::history(basic_actor& self, history_request request) const {
  auto made = std::make_shared<detail::thread_answer<history_page>>();
  auto waits = made->start();
  core_->on_loop_0(
    [name = name_, request, to = actor_answer<history_page>{self, std::move(made)}](
      detail::history_core& core) mutable { core.history(*name, request, std::move(to)); });
  return waits;
}

// -- kept_topics ----------------------------------------------------------------------------------

kept_topics::kept_topics(runtime& rt, history_ref store, kept_topics_options options)
  : core_(std::make_shared<detail::history_core>(rt, std::move(store), options)) {
  core_->start();
}

kept_topics::~kept_topics() {
  core_->end();
}

kept_topic kept_topics::get(std::string_view name) const {
  if (name.empty() || name.size() > core_->options().max_name)
    throw std::invalid_argument("kept_topics: a topic's name has 1 to "
                                + std::to_string(core_->options().max_name) + " bytes, not "
                                + std::to_string(name.size()));
  return {core_, std::string{name}};
}

bool kept_topics::ready() const noexcept {
  return core_->ready();
}

kept_topics_counters kept_topics::counters() const noexcept {
  return core_->tallies().counters();
}

} // namespace troupe
