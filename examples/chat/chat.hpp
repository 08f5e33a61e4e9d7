#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <spdlog/logger.h>

#include <troupe/net/factory.hpp>
#include <troupe/net/printable.hpp>
#include <troupe/net/text_line_receiver.hpp>
#include <troupe/runtime/loop_scheduler.hpp>
#include <troupe/runtime/runtime.hpp>

#include "history_text.hpp"
#include "names.hpp"
#include "rooms.hpp"
#include "talk_budget.hpp"
#include "terminal.hpp"
#include "user_registry.hpp"

/// A chat: its names and its rooms, which any number of ports may serve.
struct chat_service {
  explicit chat_service(troupe::runtime& rt) : chat_service(rt, rt.spawn<user_registry>()) {}

  /// With names that somebody else keeps; what is said is kept in `kept`, if there is one, which is there as long as
  /// the runtime runs.
  chat_service(troupe::runtime& rt, caf::actor names, const troupe::kept_topics* kept = nullptr)
    : chat_service(std::move(names), std::make_shared<chat_rooms>(rt, kept)) {}

  /// With rooms that somebody else has made, too.
  chat_service(caf::actor names, std::shared_ptr<chat_rooms> where)
    : users(std::move(names)), rooms(std::move(where)) {}

  /// \param editing  when the terminal of a telnet client is asked for
  [[nodiscard]] troupe::factory_ref
  make_factory(troupe::telnet_editing editing = troupe::telnet_editing::if_offered) const;

  caf::actor users;
  std::shared_ptr<chat_rooms> rooms;
};

// What one connection of the chat speaks: first a name, then lines for the room, or commands.
//
// A room is a topic: what is said goes straight to the outputs of those who are there. The registry
// is asked for names only.
//
// What users say is text for other people's terminals, so it is made `printable`, and so are names
// (names.hpp). Who talks faster than his budget is read only while the room is open (rooms.hpp); who
// is told something by many, in private, is protected by their budgets alone.
class chat : public troupe::text_line_receiver,
             public troupe::terminal_user,
             private troupe::producer {
public:
  chat(caf::actor_config& cfg, chat_service service)
    : text_line_receiver(cfg), users_(std::move(service.users)), rooms_(std::move(service.rooms)) {}

  void connection_made() override {
    transport().set_output_limits({.high = 128 * 1024,
                                   .low = 32 * 1024,
                                   .hard = 1024 * 1024}); // who does not read is lost soon
    transport().register_producer(*this, true);
    send_line("What's your name?");
  }

  void data_received(troupe::bytes_view data) override {
    if (!paused() && !may_talk())
      hold();
    collect([&] { text_line_receiver::data_received(data); });
  }

  void line_received(std::string_view line) override {
    if (line.starts_with('/') && !line.starts_with("//"))
      return command(line);
    if (line.starts_with('/'))
      line.remove_prefix(1);
    if (named_)
      return say(line);
    auto [name, fault] = check_user_name(line);
    if (fault != name_fault::none)
      return refuse("Name", fault);
    name_ = std::move(name);
    claim("lobby");
  }

  void line_too_long() override {
    send_line("Line too long (" + std::to_string(max_length())
              + " bytes at most), it was left out; please send shorter ones.");
  }

  void connection_lost(const troupe::failure& why) override {
    if (named_) {
      loop().scheduler().logger().info("{} has left: {}", former_ ? *former_ : name_,
                                       why.message());
      leave();
    }
    if (former_)
      send(users_, release_atom::value, *former_);
    if (claimed_)
      send(users_, release_atom::value, name_);
  }

  void terminal_changed(troupe::telnet_lines_protocol&) override { show_where(); }

  troupe::completions complete(std::string_view line, std::size_t cursor) override {
    return complete_command(line, cursor);
  }

  void input_ended(troupe::telnet_lines_protocol&) override { quit_chat(); }

  caf::behavior make_behavior() override {
    return shared_behavior<&chat::told, &chat::answered, &chat::granted, &chat::taken, &chat::asked,
                           &chat::bumped, &chat::room_opened>();
  }

protected:
  void stop_requested() override {
    if (connected())
      transport().unregister_producer(); // the connection would wait for more output
    text_line_receiver::stop_requested();
  }

private:
  static constexpr std::size_t block = 64 * 1024; // who says more in one turn goes on in the next
  static constexpr std::size_t of_a_command = 256;
  static constexpr std::size_t little = 4 * 1024;           // the room need not know of it
  static constexpr auto patience = std::chrono::seconds(2); // with who falls behind

  // What is said in one turn.
  struct talk {
    std::string text;     // not published yet
    std::string head;     // of each line: the name
    std::size_t size = 0; // with what commands cost
  };

  // What few need: those who are held back, and those who are slow.
  struct pace {
    troupe::delayed_call release;
    troupe::delayed_call end_of_patience;
    std::size_t unreported = 0; // bytes that were published, and the room does not know of
    bool held = false;          // is not read, for the sake of others
    bool to_one = false;        // what was too much was said to one alone: no room vouches for that
    bool behind = false;        // takes less than it is sent
    bool counted = false;       // and the room waits for it
  };

  // -- what the user says -------------------------------------------------------------------------

  // What is said in one turn is published as one block.
  template <class F>
  void collect(F deliver) {
    talk said;
    said_ = &said;
    deliver();
    said_ = nullptr;
    publish(said.text);
  }

  // Goes on with what came while reading was paused, if nothing speaks against it.
  void go_on() {
    if (asking_ || (pace_ && pace_->held))
      return;
    if (!may_talk())
      return hold();
    collect([this] { resume_lines(); });
  }

  void say(std::string_view text) {
    auto& [said, head, size] = *said_;
    if (head.empty()) {
      head.append("<").append(name_).append("> ");
      said.reserve(little);
    }
    const auto before = said.size();
    said += head;
    troupe::append_printable(said, text);
    said.append("\r\n", 2);
    count(said.size() - before); // the name in front of short lines makes much of little
  }

  // Goes on in the next turn once enough was done in this one.
  void count(std::size_t bytes) {
    said_->size += bytes;
    if (said_->size < block)
      return;
    said_->size = 0;
    pause_lines();
    call_later(troupe::duration::zero(), [this] { go_on(); });
  }

  void publish(std::string_view text) {
    if (text.empty())
      return;
    room_->say(*this, text, troupe::except{this});
    spend(text.size());
  }

  // Tells who wants to know.
  void notify(const std::string& what) {
    if (room_->happens.subscribers() == 0)
      return;
    const auto line = "* " + what + "\r\n";
    room_->happens.publish(line, troupe::except{this});
    spend(line.size());
  }

  void command(std::string_view line) {
    publish(std::exchange(said_->text, {})); // it was said before
    count(of_a_command);
    const auto verb = line.substr(1, line.find(' ') - 1);
    const auto rest = trim(line.substr(1 + verb.size()));
    if (verb == "quit")
      quit_chat();
    else if (verb == "help")
      transport().write(help);
    else if (verb == "terminal")
      use_terminal();
    else if (!named_)
      send_line("Choose a name first: type it, and press Enter.");
    else if (verb == "join")
      join(rest);
    else if (verb == "leave")
      room_->look() == "lobby" ? send_line("You are in the lobby already.") : enter_named("lobby");
    else if (verb == "who")
      ask(who_atom::value, room_->look());
    else if (verb == "nick")
      rest.empty() ? send_line("Which name? /nick NAME") : rename(rest);
    else if (verb == "msg")
      tell(rest);
    else if (verb == "history")
      show_history(rest);
    else if (verb == "notices")
      set_notices(rest);
    else
      send_line("There is no command /" + troupe::printable(verb.substr(0, 40))
                + "; /help lists them.");
  }

  static constexpr std::string_view help =
    "What you type is sent to all in your room. Commands begin with a slash:\r\n"
    "  /join ROOM        goes to a room, or makes it; you begin in the lobby\r\n"
    "  /leave            goes back to the lobby\r\n"
    "  /who              tells who is in your room\r\n"
    "  /nick NAME        gives you another name\r\n"
    "  /msg NAME TEXT    tells one alone, in any room (to a NAME without spaces)\r\n"
    "  /history LINES    shows what was said in your room before, if kept\r\n"
    "  /notices on       tells you who comes, leaves and is renamed; /notices off\r\n"
    "  /terminal         lets you edit lines here; for telnet clients\r\n"
    "  /quit             ends the connection\r\n"
    "  //text            says what begins with a slash\r\n";

  [[nodiscard]] troupe::telnet_lines_protocol* terminal() const {
    return troupe::telnet_lines_protocol::of(*this);
  }

  void show_where() {
    show_in_terminal(terminal(), named_ ? name_ : std::string_view{},
                     room_ ? room_->look() : std::string_view{});
  }

  void use_terminal() {
    if (auto* const t = terminal(); t != nullptr && !t->editing())
      t->ask_for_terminal();
    else
      send_line("Your lines are edited here already.");
  }

  void quit_chat() {
    transport().unregister_producer(); // the connection would wait for more output
    transport().lose_connection();
  }

  void refuse(std::string_view what, name_fault fault) {
    const auto because = [fault]() -> std::string {
      switch (fault) {
      case name_fault::empty:
        return " needs a visible character";
      case name_fault::too_long:
        return " too long (" + std::to_string(longest_name) + " characters at most)";
      case name_fault::ambiguous:
        return " must not have < > [ ] or a comma";
      default:
        return " must be text without control characters";
      }
    };
    send_line(std::string{what} + because() + ", please choose another.");
  }

  void join(std::string_view room) {
    if (room.empty())
      return send_line("Which room? /join ROOM");
    const auto [name, fault] = check_room_name(room);
    if (fault != name_fault::none)
      return refuse("Room name", fault);
    enter_named(name);
  }

  void enter_named(const std::string& room) {
    leave();
    enter(room);
    send_line("You are in " + room + ".");
    ask(move_atom::value, name_, room);
  }

  void enter(const std::string& room) {
    room_ = rooms_->get(room);
    room_->said.subscribe(this);
    if (notices_)
      room_->happens.subscribe(this);
    show_where();
    notify(name_ + " has come.");
  }

  void leave() {
    notify((former_ ? *former_ : name_) + " has left.");
    room_->said.unsubscribe(this);
    room_->happens.unsubscribe(this);
    no_longer_counted();
    room_.reset();
  }

  void rename(std::string_view text) {
    const auto [name, fault] = check_user_name(text);
    if (fault != name_fault::none)
      return refuse("Name", fault);
    if (name == name_)
      return send_line("You are " + name_ + " already.");
    const bool looks_the_same = look_of(name) == look_of(name_);
    former_ = std::make_unique<std::string>(std::exchange(name_, name));
    if (!looks_the_same)
      return claim(room_->look());
    renamed(*std::exchange(former_, nullptr));
    ask(respell_atom::value, name_);
  }

  void renamed(const std::string& before) {
    send_line("You are " + name_ + " now.");
    show_where();
    notify(before + " is called " + name_ + " now.");
  }

  void tell(std::string_view words) {
    const auto to = words.substr(0, words.find(' '));
    const auto text = troupe::printable(trim(words.substr(to.size())));
    if (text.empty())
      return send_line("Whom, and what? /msg NAME TEXT");
    spend(name_.size() + text.size());
    if (!budget_.left(loop().time()))
      with_pace().to_one = true;
    ask(tell_atom::value, name_, troupe::printable(to), text);
  }

  // What the user says next waits for it.
  void show_history(std::string_view count) {
    const auto lines = history_lines(count);
    if (lines == 0)
      return send_line("How many lines? /history, or /history 1 to 100");
    if (!room_->kept)
      return send_line("Nothing is kept here.");
    asking_ = true;
    pause_lines();
    // [history]
    room_->kept.history(*this, {.limit = lines})
      .add_callback([this, lines](const troupe::history_page& page) {
        transport().write(history_text(page, lines));
      })
      .add_errback([this](const troupe::failure&) {
        send_line("What was said before cannot be read at the moment.");
      })
      .add_callback([this] {
        call_later(troupe::duration::zero(), [this] {
          asking_ = false;
          go_on();
        });
      });
    // [/history]
  }

  void set_notices(std::string_view how) {
    if (how != "on" && how != "off")
      return send_line(std::string{"Notices are "} + (notices_ ? "on" : "off")
                       + ": /notices on, or /notices off");
    notices_ = how == "on";
    if (notices_)
      room_->happens.subscribe(this);
    else
      room_->happens.unsubscribe(this);
    send_line(notices_ ? "You are told who comes, leaves and is renamed."
                       : "You are not told who comes, leaves and is renamed.");
  }

  static std::string_view trim(std::string_view text) {
    const auto begin = text.find_first_not_of(' ');
    return begin == std::string_view::npos
             ? std::string_view{}
             : text.substr(begin, text.find_last_not_of(' ') - begin + 1);
  }

  // -- for the sake of those who listen -----------------------------------------------------------

  pace& with_pace() {
    if (!pace_)
      pace_ = std::make_unique<pace>();
    return *pace_;
  }

  void spend(std::size_t bytes) {
    budget_.spend(bytes);
    if (budget_.left(loop().time()))
      return;
    auto& p = with_pace();
    p.unreported += bytes;
    if (p.unreported >= little && room_)
      room_->published(loop().scheduler(), std::exchange(p.unreported, 0));
  }

  // Tells whether more may be said now. If not, either the room tells when it may, or time does.
  bool may_talk() {
    if (!room_)
      return true;
    if (budget_.left(loop().time())) {
      if (pace_)
        pace_->to_one = false;
      return true;
    }
    if ((pace_ && pace_->to_one) || !room_->open_to(ctrl()))
      return false;
    budget_.forgive();
    return true;
  }

  void hold() {
    auto& p = with_pace();
    pause_lines();
    p.held = true;
    if (!p.to_one)
      budget_.spend(talk_budget::burst); // time alone helps when the room has not for some seconds
    p.release = call_later(budget_.wait(), [this] { release(); });
  }

  void release() {
    if (!pace_ || !pace_->held)
      return;
    pace_->held = false;
    if (pace_->release.active())
      pace_->release.cancel();
    go_on();
  }

  void room_opened(room_opened_atom) {
    if (pace_ && !pace_->to_one)
      release();
  }

  // More waits for this user than it should. The room waits too, but not for long: somebody who does
  // not read at all must not silence it.
  void pause_producing() override {
    auto& p = with_pace();
    p.behind = true;
    if (!room_ || p.counted)
      return;
    p.counted = true;
    room_->fell_behind();
    p.end_of_patience = call_later(patience, [this] { no_longer_counted(); });
  }

  void resume_producing() override {
    with_pace().behind = false;
    no_longer_counted();
  }

  void stop_producing() override {}

  void no_longer_counted() {
    if (!pace_ || !std::exchange(pace_->counted, false))
      return;
    if (pace_->end_of_patience.active())
      pace_->end_of_patience.cancel();
    room_->caught_up();
  }

  // -- with the registry: what the user says next waits for the answer ----------------------------

  template <class... Question>
  void ask(Question&&... question) {
    send(users_, std::forward<Question>(question)...);
    asking_ = true;
    pause_lines();
  }

  void answered(answer_atom, const troupe::shared_bytes& line) {
    transport().write(line);
    asking_ = false;
    go_on();
  }

  void claim(const std::string& room) {
    claimed_ = true;
    if (former_)
      ask(claim_atom::value, name_, room, *former_);
    else
      ask(claim_atom::value, name_, room);
  }

  void granted(granted_atom) {
    asking_ = false;
    if (former_) {
      const auto before = *std::exchange(former_, nullptr);
      send(users_, release_atom::value, before);
      renamed(before);
    } else {
      named_ = true;
      send_line("Welcome, " + name_ + "!");
      loop().scheduler().logger().info("{} has come from {}", name_,
                                       troupe::printable(transport().get_peer().to_string()));
      enter("lobby");
    }
    go_on();
  }

  void taken(taken_atom) {
    asking_ = false;
    claimed_ = former_ != nullptr;
    if (former_)
      name_ = std::move(*std::exchange(former_, nullptr));
    send_line("Name taken, please choose another.");
    go_on();
  }

  void told(const troupe::shared_bytes& line) { transport().write(line); }

  // Answers in the next turn, which begins with a look at the socket.
  void asked(asked_atom, const std::string& name) {
    call_later(troupe::duration::zero(), [this, name] { send(users_, present_atom::value, name); });
  }

  // Nodes that were out of each other's sight have given the name to two.
  void bumped(bumped_atom, const std::string& name) {
    if (name != name_ && !(former_ && name == *former_))
      return; // it has another one by now
    send_line(name
              + " is the name of somebody who had it before you, on another node. Please come "
                "again, with another name.");
    quit_chat();
  }

  caf::actor users_;
  std::shared_ptr<chat_rooms> rooms_;
  std::shared_ptr<chat_room> room_; // where the user is, once named
  std::string name_;
  std::unique_ptr<std::string> former_; // the name in use, while another one is asked for
  std::unique_ptr<pace> pace_;
  talk* said_ = nullptr; // collects what is said, while lines are received
  talk_budget budget_;
  bool claimed_ = false; // the registry has to be told when `name_` is free
  bool named_ = false;
  bool asking_ = false;  // the registry has not answered
  bool notices_ = false; // where the client is a person's, one asks for them
};

inline troupe::factory_ref chat_service::make_factory(troupe::telnet_editing editing) const {
  return troupe::factory::of<troupe::telnet_lines_factory>(
    troupe::factory::for_protocol<chat>(*this), troupe::telnet_lines_options{.editing = editing});
}
