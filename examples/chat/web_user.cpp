#include "web_user.hpp"

#include <algorithm>
#include <chrono>
#include <deque>
#include <map>

#include <spdlog/logger.h>

#include <troupe/net/printable.hpp>
#include <troupe/runtime/loop_scheduler.hpp>

#include "names.hpp"
#include "rooms.hpp"
#include "talk_budget.hpp"
#include "user_registry.hpp"

using namespace std::chrono_literals;
using nlohmann::json;

namespace {

std::string member(const json& of, const char* name) {
  const auto found = of.find(name);
  return found != of.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

/// One page. It has its name from the registry, as users of the other doors have.
class web_user : public troupe::websocket_protocol, private troupe::producer {
public:
  web_user(caf::actor_config& cfg, std::shared_ptr<web_door> of)
    : websocket_protocol(cfg), door_(std::move(of)) {}

  void websocket_opened() override {
    transport().set_output_limits({.high = 128 * 1024,
                                   .low = 32 * 1024,
                                   .hard = 1024 * 1024}); // who does not read is lost soon
    transport().register_producer(*this, true);
    no_name_ = call_later(time_for_a_name, [this] { quit("no name"); });
  }

  void text_received(std::string_view text) override {
    spend(text.size() + of_a_command);
    const auto message = json::parse(text, nullptr, false);
    if (!message.is_object())
      return tell_error("That is no object of JSON.");
    const auto what = member(message, "do");
    if (what == "ping")
      tell({{"is", "pong"}});
    else if (what == "name")
      claim(member(message, "name"));
    else if (name_.empty())
      tell_error("Choose a name first.");
    else if (what == "join")
      join(member(message, "room"));
    else if (what == "leave")
      part(member(message, "room"));
    else if (what == "say")
      say(member(message, "room"), member(message, "text"));
    else if (what == "tell")
      tell_one(member(message, "to"), member(message, "text"));
    else
      tell_error("There is nothing called that to do.");
  }

  void websocket_closed(const troupe::websocket_close&) override {
    while (!places_.empty())
      leave(places_.begin()->first);
    for (const auto* const name : {&wanted_, &name_})
      if (!name->empty())
        send(door_->service.users, release_atom::value, *name);
    if (!name_.empty())
      log().info("{} has left", name_);
  }

  caf::behavior make_behavior() override {
    return shared_behavior<&web_user::granted, &web_user::taken, &web_user::told,
                           &web_user::answered, &web_user::asked, &web_user::bumped>();
  }

protected:
  void stop_requested() override {
    if (connected())
      transport().unregister_producer(); // the connection would wait for more output
    websocket_protocol::stop_requested();
  }

private:
  static constexpr auto time_for_a_name = 5min;   // a login form may be looked at for long
  static constexpr auto patience = 2s;            // with who falls behind
  static constexpr std::size_t of_a_command = 64; // beside its bytes
  static constexpr std::size_t longest_text = 4096;
  static constexpr std::size_t most_said =
    talk_budget::burst; // in one go, with the name in front of each line
  static constexpr std::size_t most_rooms = 20;
  static constexpr std::size_t most_questions = 100; // that the registry has not answered

  // -- the name -----------------------------------------------------------------------------------

  void claim(const std::string& text) {
    const auto [name, fault] = check_user_name(text);
    if (fault != name_fault::none)
      return refuse("wrong", what_is_wrong(fault));
    if (!wanted_.empty())
      return refuse("wrong", "Another name is asked for already.");
    if (!name_.empty() && look_of(name) == look_of(name_)) {
      send(door_->service.users, respell_atom::value, name);
      questions_.push_back({});
      name_ = name;
      return tell({{"is", "welcome"}, {"name", name_}});
    }
    wanted_ = name;
    if (name_.empty())
      send(door_->service.users, claim_atom::value, wanted_, std::string{});
    else
      send(door_->service.users, claim_atom::value, wanted_, std::string{}, name_);
  }

  void granted(granted_atom) {
    const auto former = std::exchange(name_, std::exchange(wanted_, {}));
    tell({{"is", "welcome"}, {"name", name_}});
    if (former.empty()) {
      if (no_name_.active())
        no_name_.cancel();
      log().info("{} has come from {} by a browser", name_,
                 troupe::printable(transport().get_peer().to_string()));
      door_->everybody.subscribe(this);
      tell(door_->rooms.list(web_door::listed));
      return;
    }
    for (const auto& [look, room] : places_) {
      send(door_->service.users, join_atom::value, name_, room);
      if (auto* const r = door_->rooms.find(look))
        notify(*r, former + " is called " + name_ + " now.");
    }
    send(door_->service.users, release_atom::value, former);
  }

  void taken(taken_atom) {
    wanted_.clear();
    refuse("taken", "That name is taken, please choose another.");
  }

  void refuse(const char* why, const std::string& text) {
    tell({{"is", "refused"}, {"why", why}, {"text", text}});
  }

  static std::string what_is_wrong(name_fault fault) {
    switch (fault) {
    case name_fault::empty:
      return "It needs a visible character.";
    case name_fault::too_long:
      return "It is too long: " + std::to_string(longest_name) + " characters at most.";
    case name_fault::ambiguous:
      return "It must not have < > [ ] or a comma.";
    default:
      return "It must be text without control characters.";
    }
  }

  // -- rooms --------------------------------------------------------------------------------------

  void join(const std::string& text) {
    const auto [name, fault] = check_room_name(text);
    if (fault != name_fault::none)
      return tell_error("No room has such a name. " + what_is_wrong(fault));
    auto& r = door_->rooms.get(name);
    if (!places_.contains(r.look)) {
      if (places_.size() == most_rooms) {
        door_->rooms.tidy(r);
        return tell_error("You are in as many rooms as you may be; leave one.");
      }
      enter(r);
    }
    auto description = r.description();
    description["you"] = name_;
    tell(description);
  }

  void enter(web_room& r) {
    if (r.pages++ == 0) {
      r.room = door_->service.rooms->get(r.name);
      r.room->said.subscribe(door_->watcher);
      r.told = troupe::topic{door_->rt};
    }
    places_.emplace(r.look, r.name);
    r.told.subscribe(this);
    if (behind_)
      r.room->fell_behind();
    send(door_->service.users, join_atom::value, name_, r.name);
    notify(r, name_ + " has come.");
  }

  void part(const std::string& look) {
    if (!places_.contains(look))
      return tell_error("You are not in that room.");
    leave(std::string{look});
    tell({{"is", "parted"}, {"room", look}});
  }

  void leave(const std::string& look) {
    auto* const r = door_->rooms.find(look);
    places_.erase(look);
    notify(*r, name_ + " has left.");
    send(door_->service.users, part_atom::value, name_, r->name);
    r->told.unsubscribe(this);
    if (behind_)
      r->room->caught_up();
    if (--r->pages == 0) {
      r->room->said.unsubscribe(door_->watcher);
      r->room.reset();
      r->told = troupe::topic{};
    }
    door_->rooms.tidy(*r);
  }

  void notify(const web_room& r, const std::string& what) {
    if (r.room->happens.subscribers() > 0)
      r.room->happens.publish("* " + what + "\r\n");
  }

  void say(const std::string& look, std::string_view text) {
    auto* const r = door_->rooms.find(look);
    if (r == nullptr || !places_.contains(look))
      return tell_error("You are not in that room.");
    if (text.size() > longest_text)
      return tell_error("Too long: " + std::to_string(longest_text) + " bytes at most.");
    std::string lines;
    while (!text.empty()) {
      const auto line = text.substr(0, text.find('\n'));
      text.remove_prefix(std::min(text.size(), line.size() + 1));
      if (const auto shown = troupe::printable(line);
          shown.find_first_not_of(' ') != std::string::npos)
        lines += '<' + name_ + "> " + shown + "\r\n";
      if (lines.size() > most_said) // the name in front of short lines makes much of little
        return tell_error("Too many lines at once.");
    }
    if (lines.empty())
      return;
    spend(lines.size());
    r->room->say(*this, lines, troupe::except{door_->watcher});
    door_->said(look, lines);
  }

  // -- one alone ----------------------------------------------------------------------------------

  struct question {
    std::string to{}; // empty if nobody was told anything
    std::string text{};
  };

  void tell_one(const std::string& to, std::string_view text) {
    if (text.size() > longest_text)
      return tell_error("Too long: " + std::to_string(longest_text) + " bytes at most.");
    auto shown = troupe::printable(text);
    if (to.empty() || shown.find_first_not_of(' ') == std::string::npos)
      return tell_error("Whom, and what?");
    if (questions_.size() >= most_questions)
      return tell_error("Not so fast, please.");
    spend(shown.size());
    send(door_->service.users, tell_atom::value, name_, troupe::printable(to), shown);
    questions_.push_back({troupe::printable(to), std::move(shown)});
  }

  void answered(answer_atom, const troupe::shared_bytes& line) {
    if (questions_.empty())
      return;
    const auto asked = std::move(questions_.front());
    questions_.pop_front();
    if (!line.text().empty())
      tell_error("Nobody is called " + asked.to + '.');
    else if (!asked.to.empty())
      tell({{"is", "sent"}, {"to", asked.to}, {"text", asked.text}});
  }

  void told(const troupe::shared_bytes& line) {
    const auto text = line.text().substr(0, line.text().find("\r\n"));
    const auto end = text.find("] ");
    if (text.starts_with('[') && end != std::string_view::npos)
      tell({{"is", "told"}, {"from", text.substr(1, end - 1)}, {"text", text.substr(end + 2)}});
  }

  // Answers in the next turn, which begins with a look at the socket.
  void asked(asked_atom, const std::string& name) {
    call_later(troupe::duration::zero(),
               [this, name] { send(door_->service.users, present_atom::value, name); });
  }

  // Nodes that were out of each other's sight have given the name to two.
  void bumped(bumped_atom, const std::string& name) {
    if (name != name_)
      return;
    tell_error("Your name is that of somebody who had it before you, on another node.");
    quit("name taken");
  }

  // -- for the sake of others ---------------------------------------------------------------------

  // Who says more than his budget is not read until that has come back.
  void spend(std::size_t bytes) {
    budget_.spend(bytes);
    if (held_ || budget_.left(loop().time()))
      return;
    held_ = true;
    transport().pause_producing();
    call_later(budget_.wait(), [this] {
      held_ = false;
      if (is_open())
        transport().resume_producing();
    });
  }

  // More waits for this page than it should: the rooms wait too, but not for long.
  void pause_producing() override {
    if (behind_)
      return;
    behind_ = true;
    each_room([](chat_room& r) { r.fell_behind(); });
    end_of_patience_ = call_later(patience, [this] { resume_producing(); });
  }

  void resume_producing() override {
    if (!std::exchange(behind_, false))
      return;
    if (end_of_patience_.active())
      end_of_patience_.cancel();
    each_room([](chat_room& r) { r.caught_up(); });
  }

  void stop_producing() override {}

  template <class F>
  void each_room(F fn) {
    for (const auto& [look, name] : places_)
      if (auto* const r = door_->rooms.find(look))
        fn(*r->room);
  }

  // -- the page -----------------------------------------------------------------------------------

  void tell(const json& message) { send_text(text_of(message)); }
  void tell_error(const std::string& text) { tell({{"is", "error"}, {"text", text}}); }

  void quit(const char* why) {
    transport().unregister_producer(); // the connection would wait for more output
    close(troupe::websocket_code::normal, why);
  }

  [[nodiscard]] spdlog::logger& log() const { return loop().scheduler().logger(); }

  const std::shared_ptr<web_door> door_;
  std::string name_;                          // as the registry has it
  std::string wanted_;                        // that it was asked for
  std::map<std::string, std::string> places_; // names of the rooms by their looks
  std::deque<question> questions_;            // that the registry answers in order
  talk_budget budget_;
  troupe::delayed_call no_name_;
  troupe::delayed_call end_of_patience_;
  bool held_ = false;   // is not read, for the sake of others
  bool behind_ = false; // takes less than it is sent, and its rooms wait
};

} // namespace

std::string text_of(const json& message) {
  return message.dump(-1, ' ', false, json::error_handler_t::replace);
}

troupe::builder<troupe::websocket_protocol> build_web_user(std::shared_ptr<web_door> door) {
  return troupe::build<web_user>(std::move(door));
}
