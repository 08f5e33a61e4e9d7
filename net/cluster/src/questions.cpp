#include <algorithm>
#include <utility>

#include <caf/actor_cast.hpp>
#include <caf/error.hpp>
#include <caf/mailbox_element.hpp>
#include <caf/send.hpp>

#include <troupe/actors/ask.hpp>
#include <troupe/cluster/cluster_actor.hpp>
#include <troupe/runtime/pinned_actor.hpp>
#include <troupe/runtime/repeats.hpp>
#include <troupe/runtime/runtime.hpp>

#include <troupe/cluster/detail/message_codec.hpp>
#include "cluster_core.hpp"

namespace troupe::detail {

namespace {

using namespace std::chrono_literals;

// Questions of this node that wait for others, and of each other node that wait for actors here.
constexpr std::size_t most_questions = 100'000;
constexpr std::size_t most_open_of_a_node = 10'000;

/// In whose name the actors of this node are asked what others want to know.
class asker_for_others final : public pinned_actor {
public:
  using pinned_actor::pinned_actor;
  caf::behavior make_behavior() override {
    return {[](caf::unit_t) {
    }};
  }
  [[nodiscard]] actor_description describe() const override {
    return {"cluster", "questions of other nodes"};
  }
};

void respond(const caf::strong_actor_ptr& asker, caf::message_id id, caf::message content) {
  asker->enqueue(caf::make_mailbox_element(nullptr, id, {}, std::move(content)), nullptr);
}

void respond(const caf::strong_actor_ptr& asker, caf::message_id id, const failure& why) {
  respond(asker, id, caf::make_message(why.to_caf_error()));
}

} // namespace

/// A question of another node, until an actor of this one has answered it, or cannot any more.
class remote_question final : public question_base {
public:
  remote_question(std::weak_ptr<cluster_core> core, const peer& from, std::uint64_t number)
    : core_(std::move(core)), node_(from.name), boot_(from.boot), number_(number),
      open_(from.open_questions) {
    ++*open_;
  }
  ~remote_question() override {
    fail({errc::actor_down, "the node that was asked stops"});
    --*open_;
  }

  void fail(const failure& why) override { give(caf::message{}, why); }
  void take_response(caf::type_erased_tuple& content) override {
    if (content.match_elements<caf::error>())
      give(caf::message{}, failure{content.get_as<caf::error>(0)});
    else
      give(content, {});
  }

private:
  void give(const caf::type_erased_tuple& content, const failure& why) {
    answered();
    if (std::exchange(done_, true))
      return;
    if (const auto core = core_.lock())
      core->send_answer(node_, boot_, number_, content, why);
  }

  const std::weak_ptr<cluster_core> core_;
  const std::string node_;
  const std::uint64_t boot_;
  const std::uint64_t number_;
  const std::shared_ptr<std::size_t> open_; // of loop 0, as this
  bool done_ = false;
};

// -- ours, on any thread ------------------------------------------------------------------------

failure cluster_core::hand_over(const std::string& name, const std::string& node, std::string bytes,
                                caf::strong_actor_ptr asker, caf::message_id id, duration timeout) {
  if (home_.is_current() && home_.keeps_order())
    return send_question(name, node, bytes, asker, id, timeout);
  home_.post([weak = weak_from_this(), name, node, bytes = std::move(bytes),
              asker = std::move(asker), id, timeout] {
    const auto self = running(weak);
    const auto why = self ? self->send_question(name, node, bytes, asker, id, timeout)
                          : failure{errc::not_connected, "the cluster has ended"};
    if (why && asker)
      respond(asker, id, why);
  });
  return {};
}

// -- ours, on loop 0 ----------------------------------------------------------------------------

// Returns who is asked: one that is up rather than one that is suspected, and of several one after the other.
peer* cluster_core::choose(const std::string& name, const std::string& node) {
  auto all = directory_.nodes(name);
  std::erase_if(
    all, [&](const auto* one) { return !one->lives() || (!node.empty() && one->name != node); });
  if (all.empty())
    return nullptr;
  std::sort(all.begin(), all.end(), [](const auto* a, const auto* b) { return a->name < b->name; });
  for (std::size_t i = 0; i < all.size(); ++i) {
    auto* const one = all[(next_choice_ + i) % all.size()];
    if (one->state == node_state::up) {
      next_choice_ += i + 1;
      return one;
    }
  }
  return all[next_choice_++ % all.size()];
}

failure cluster_core::send_question(const std::string& name, const std::string& node,
                                    std::string_view bytes, const caf::strong_actor_ptr& asker,
                                    caf::message_id id, duration timeout) {
  auto* const whom = choose(name, node);
  if (whom == nullptr || !talks()) {
    count_.questions_refused.add();
    if (!talks())
      return {errc::not_connected, "node " + options_.name + " is "
                                     + std::string{to_string(state())} + ", and nobody serves '"
                                     + name + "' on it"};
    return nobody_serves(name, node);
  }
  if (asker && questions_.size() >= most_questions) {
    count_.questions_refused.add();
    return {errc::queue_overflow, "100,000 questions wait for other nodes"};
  }
  if (link_->unsent() + buffered_ + bytes.size() + name.size() + 64 > options_.max_unsent) {
    count_.questions_refused.add();
    return {errc::queue_overflow,
            "more than " + std::to_string(options_.max_unsent)
              + " bytes (cluster_options::max_unsent) wait for the backplane"};
  }
  wire::question q;
  q.to = whom->boot;
  q.name = name;
  if (asker) {
    const auto ms = std::chrono::ceil<std::chrono::milliseconds>(timeout).count();
    q.timeout_ms = static_cast<std::uint32_t>(std::clamp<std::int64_t>(ms, 0, UINT32_MAX));
    q.number = ++last_question_;
    questions_.emplace(q.number,
                       open_question{asker, id, whom, saturating_add(time_.now(), timeout)});
  }
  wire::writer out{header(wire::kind::question)};
  wire::write(out, q);
  out.raw(bytes);
  count_.questions_out.add();
  send(whom->name, out);
  return {};
}

void cluster_core::hear_answer(peer& who, wire::reader& in) {
  const auto a = wire::read_answer(in);
  if (!a)
    return note_bad_message(who.name, "an answer that is none");
  if (a->to != boot_)
    return;
  const auto found = questions_.find(a->number);
  if (found == questions_.end() || found->second.whom != &who)
    return; // nobody waits for it any more
  const auto open = std::move(found->second);
  questions_.erase(found);
  auto content = read_message(rt_.system(), as_bytes(in.rest()));
  if (!content)
    return respond(open.asker, open.id, content.error());
  if (!a->failed)
    return respond(open.asker, open.id, *std::move(content));
  if (!content->match_elements<failure>())
    return respond(
      open.asker, open.id,
      failure{errc::malformed_input, "node " + who.name + " failed without a failure"});
  const auto& why = content->get_as<failure>(0);
  respond(open.asker, open.id,
          why ? why : failure{errc::malformed_input, "a failure that is none"});
}

void cluster_core::fail_questions(const peer* whom, const failure& why) {
  std::vector<open_question> failed;
  for (auto next = questions_.begin(); next != questions_.end();) {
    if (whom != nullptr && next->second.whom != whom) {
      ++next;
      continue;
    }
    failed.push_back(std::move(next->second));
    next = questions_.erase(next);
  }
  for (const auto& one : failed)
    respond(one.asker, one.id, why);
}

// The askers know: they have the time, too.
void cluster_core::expire_questions() {
  const auto now = time_.now();
  std::erase_if(questions_, [now](const auto& one) { return one.second.until + 1s < now; });
}

// -- those of others ----------------------------------------------------------------------------

basic_actor* cluster_core::answerer() {
  if (!answerer_)
    answerer_ = rt_.spawn_on<asker_for_others>(0);
  return static_cast<basic_actor*>(caf::actor_cast<caf::abstract_actor*>(answerer_));
}

void cluster_core::hear_question(peer& who, wire::reader& in) {
  const auto q = wire::read_question(in);
  if (!q)
    return note_bad_message(who.name, "a question that is none");
  if (q->to != boot_)
    return; // for an earlier process of our name
  count_.questions_in.add();
  const auto refuse = [&](const failure& why) {
    if (q->number != 0)
      send_answer(who.name, who.boot, q->number, caf::message{}, why);
  };
  const std::string name{q->name};
  const auto receiver = directory_.local(name);
  if (!receiver)
    return refuse(nobody_serves(name, options_.name));
  auto content = read_message(rt_.system(), as_bytes(in.rest()));
  if (!content) {
    rt_.repeats().note("cluster question " + options_.name + name, log_level::warn, [&] {
      return "node " + options_.name + " cannot read a message of node " + who.name + " for '"
             + name + "': " + content.error().message();
    });
    return refuse(content.error());
  }
  if (q->number == 0) {
    receiver->enqueue(
      caf::make_mailbox_element(nullptr, caf::make_message_id(), {}, *std::move(content)), nullptr);
    return;
  }
  if (*who.open_questions >= most_open_of_a_node)
    return refuse({errc::queue_overflow, "10,000 questions of node " + who.name
                                           + " wait for an answer on node " + options_.name});
  auto asked = std::make_shared<remote_question>(weak_from_this(), who, q->number);
  auto& self = static_cast<asker_for_others&>(*answerer());
  self.enter("a question of another node", [&] {
    asked->watch(self, receiver);
    self.send_request(receiver, std::chrono::milliseconds(q->timeout_ms), *std::move(content),
                      asked);
  });
}

void cluster_core::send_answer(const std::string& to, std::uint64_t boot, std::uint64_t number,
                               const caf::type_erased_tuple& content, const failure& why) {
  const auto found = peers_.find(to);
  if (!talks() || !link_ || found == peers_.end() || found->second->boot != boot)
    return; // who asked is gone
  wire::answer a{boot, number, static_cast<bool>(why)};
  std::string bytes;
  auto failed = why;
  if (!failed)
    failed = write_message(bytes, rt_.system(), content);
  if (!failed && bytes.size() > options_.max_message)
    failed = {errc::message_too_long, "the answer has " + std::to_string(bytes.size())
                                        + " bytes; cluster_options::max_message is "
                                        + std::to_string(options_.max_message)};
  if (failed) {
    a.failed = true;
    bytes.clear();
    if (write_message(bytes, rt_.system(), caf::make_message(failed))
        || bytes.size() > options_.max_message) {
      bytes.clear();
      static_cast<void>(
        write_message(bytes, rt_.system(), caf::make_message(failure{errc::exception})));
    }
  }
  if (link_->unsent() + buffered_ + bytes.size() + 64 > options_.max_unsent)
    return count_.questions_refused.add(); // it will not wait for ever
  wire::writer out{header(wire::kind::answer)};
  wire::write(out, a);
  out.raw(bytes);
  send(to, out);
}

// -- asking -------------------------------------------------------------------------------------

namespace {

failure too_long(std::size_t size, const cluster_options& options) {
  return {errc::message_too_long, "the message has " + std::to_string(size)
                                    + " bytes; cluster_options::max_message is "
                                    + std::to_string(options.max_message)};
}

} // namespace

void ask_over_nodes(basic_actor& self, const cluster_actor& whom, duration timeout,
                    caf::message content, const std::shared_ptr<question_base>& asked) {
  const auto core = whom.core_.lock();
  if (!core)
    return asked->fail({errc::not_connected, "the cluster has ended"});
  if (timeout == duration::max())
    return asked->fail({errc::invalid_argument,
                        "a question over nodes needs a time-out: what is lost on the way is missed "
                        "by nobody else"});
  auto& system = self.home_system();
  if (const auto why = may_travel(system, content))
    return asked->fail(why);
  const auto& us = core->options().name;
  if (whom.node_.empty() || whom.node_ == us) {
    if (const auto here = core->directory().local(whom.name_)) {
      asked->watch(self, here);
      return self.send_request(here, timeout, std::move(content), asked);
    }
  }
  if (!core->directory().is_served(whom.name_, whom.node_, us) || whom.node_ == us)
    return asked->fail(core->nobody_serves(whom.name_, whom.node_));
  std::string bytes;
  if (const auto why = write_message(bytes, system, content))
    return asked->fail(why);
  if (bytes.size() > core->options().max_message)
    return asked->fail(too_long(bytes.size(), core->options()));
  const auto id = self.expect_response(asked).response_id();
  self.clock().set_request_timeout(saturating_add(self.clock().now(), timeout), &self, id);
  const caf::strong_actor_ptr asker{self.ctrl()};
  if (const auto why =
        core->hand_over(whom.name_, whom.node_, std::move(bytes), asker, id, timeout))
    respond(asker, id, why);
}

} // namespace troupe::detail

namespace troupe {

bool cluster_actor::is_served() const {
  const auto core = core_.lock();
  return core && core->directory().is_served(name_, node_, core->options().name);
}

failure cluster_actor::send_message(const caf::message& content) const {
  const auto core = core_.lock();
  if (!core)
    return {errc::not_connected, "the cluster has ended"};
  auto& system = core->home_runtime().system();
  if (auto why = detail::may_travel(system, content))
    return why;
  const auto& us = core->options().name;
  if (node_.empty() || node_ == us) {
    if (const auto here = core->directory().local(name_)) {
      here->enqueue(caf::make_mailbox_element(nullptr, caf::make_message_id(), {}, content),
                    nullptr);
      return {};
    }
  }
  if (node_ == us || !core->directory().is_served(name_, node_, us))
    return core->nobody_serves(name_, node_);
  std::string bytes;
  if (auto why = detail::write_message(bytes, system, content))
    return why;
  if (bytes.size() > core->options().max_message)
    return detail::too_long(bytes.size(), core->options());
  return core->hand_over(name_, node_, std::move(bytes), nullptr, {}, {});
}

} // namespace troupe
