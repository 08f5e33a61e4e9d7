#pragma once

// The chat of chat_server.cpp and tls_chat_server.cpp: what a connection speaks, and the room.

#include <algorithm>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <troupe/net/line_receiver.hpp>
#include <troupe/runtime/floating_actor.hpp>

using claim_atom = caf::atom_constant<caf::atom("claim")>;     // member -> room: name
using release_atom = caf::atom_constant<caf::atom("release")>; // member -> room: name
using publish_atom = caf::atom_constant<caf::atom("publish")>; // member -> room: line
using granted_atom = caf::atom_constant<caf::atom("granted")>; // room -> member
using taken_atom = caf::atom_constant<caf::atom("taken")>;     // room -> member
using asked_atom = caf::atom_constant<caf::atom("asked")>;     // room -> member: still there?
using present_atom = caf::atom_constant<caf::atom("present")>; // member -> room: name, its answer

// Knows who has which name, and passes lines on. A line is one block of memory and one message for
// all who get it.
//
// Connections live on all loops, so somebody may be back and claim the name before the loop of
// the old connection has seen its end. That is why a claim of a taken name waits until its holder
// has said, after looking at its socket, that it is there; or has released the name.
class room : public troupe::floating_actor {
public:
  using floating_actor::floating_actor;

  caf::behavior make_behavior() override {
    return {
      [this](claim_atom, const std::string& name) { claim(name, current_sender()); },
      [this](release_atom, const std::string& name) { release(name, current_sender()); },
      [this](present_atom, const std::string& name) { present(name, current_sender()); },
      [this](publish_atom, const troupe::shared_bytes& line) {
        const auto said = caf::make_message(line);
        for (const auto& [name, holder] : members_)
          if (holder != current_sender())
            tell(holder, said);
      },
    };
  }

private:
  void claim(const std::string& name, caf::strong_actor_ptr who) {
    auto& holder = members_[name];
    if (!holder)
      return grant(holder, std::move(who));
    auto& waiting = claimants_[name];
    waiting.push_back(std::move(who));
    if (waiting.size() == 1)
      tell(holder, caf::make_message(asked_atom::value));
  }

  void release(const std::string& name, const caf::strong_actor_ptr& who) {
    const auto found = members_.find(name);
    const auto waiting = claimants_.find(name);
    if (found == members_.end())
      return;
    if (found->second != who) { // it left before it had an answer
      if (waiting != claimants_.end())
        std::erase(waiting->second, who);
      return;
    }
    if (waiting == claimants_.end() || waiting->second.empty())
      return void(members_.erase(found));
    grant(found->second, waiting->second.front());
    waiting->second.erase(waiting->second.begin());
    refuse_claimants(name);
  }

  void present(const std::string& name, const caf::strong_actor_ptr& who) {
    const auto found = members_.find(name);
    if (found != members_.end() && found->second == who)
      refuse_claimants(name);
  }

  void grant(caf::strong_actor_ptr& holder, caf::strong_actor_ptr who) {
    holder = std::move(who);
    tell(holder, caf::make_message(granted_atom::value));
  }

  void refuse_claimants(const std::string& name) {
    const auto waiting = claimants_.find(name);
    if (waiting == claimants_.end())
      return;
    for (const auto& who : waiting->second)
      tell(who, caf::make_message(taken_atom::value));
    claimants_.erase(waiting);
  }

  void tell(const caf::strong_actor_ptr& who, caf::message what) {
    who->enqueue(ctrl(), caf::make_message_id(), std::move(what), context());
  }

  std::unordered_map<std::string, caf::strong_actor_ptr> members_;
  std::unordered_map<std::string, std::vector<caf::strong_actor_ptr>> claimants_; // of taken names
};

class chat : public troupe::line_receiver {
public:
  chat(caf::actor_config& cfg, caf::actor room) : line_receiver(cfg), room_(std::move(room)) {}

  void connection_made() override { send_line("What's your name?"); }

  // What is said in one read is passed on as one block: a burst of lines is one message for each
  // who gets it.
  void data_received(troupe::bytes_view data) override {
    std::string said;
    const auto before = std::exchange(said_, &said);
    line_receiver::data_received(data);
    said_ = before;
    publish(said);
  }

  void line_received(std::string_view line) override {
    if (named_) {
      std::string alone; // a line that waited while reading was paused
      auto& said = said_ != nullptr ? *said_ : alone;
      said.append("<").append(name_).append("> ").append(line).append("\r\n");
      return publish(alone);
    }
    name_ = line;
    claimed_ = true;
    send(room_, claim_atom::value, name_);
    pause_producing(); // lines that came with the name wait for the answer
  }

  void connection_lost(const troupe::failure&) override {
    if (claimed_)
      send(room_, release_atom::value, name_);
  }

  caf::behavior make_behavior() override {
    return shared_behavior<&chat::heard, &chat::granted, &chat::taken, &chat::asked>();
  }

private:
  void heard(const troupe::shared_bytes& line) { transport().write(line); }

  void granted(granted_atom) {
    named_ = true;
    send_line("Welcome, " + name_ + "!");
    resume_producing();
  }

  void taken(taken_atom) {
    claimed_ = false;
    send_line("Name taken, please choose another.");
    resume_producing();
  }

  void asked(asked_atom) { // answers in the next turn, which begins with a look at the socket
    call_later(troupe::duration::zero(), [this] { send(room_, present_atom::value, name_); });
  }

  void publish(std::string_view text) {
    if (!text.empty())
      send(room_, publish_atom::value, troupe::shared_bytes{text});
  }

  caf::actor room_;
  std::string name_;
  std::string* said_ = nullptr; // collects what is said, within data_received
  bool claimed_ = false;        // the room has to be told when it is not needed any more
  bool named_ = false;
};
