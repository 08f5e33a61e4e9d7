#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <troupe/actors/topics.hpp>
#include <troupe/net/factory.hpp>
#include <troupe/net/line_receiver.hpp>
#include <troupe/runtime/runtime.hpp>

#include "user_registry.hpp"

// What one connection of the chat speaks: first a name, then lines for the room, or commands.
//
// A room is a topic: what is said goes straight to the outputs of those who are there. The registry
// is asked for names only.
class chat : public troupe::line_receiver {
public:
  chat(caf::actor_config& cfg, caf::actor users, troupe::topics rooms)
    : line_receiver(cfg), users_(std::move(users)), rooms_(std::move(rooms)) {}

  void connection_made() override {
    transport().set_output_limits({.hard = 1024 * 1024}); // who does not read is lost soon
    send_line("What's your name?");
  }

  void data_received(troupe::bytes_view data) override {
    collect([&] { line_receiver::data_received(data); });
  }

  void line_received(std::string_view line) override {
    if (line.starts_with('/') && !line.starts_with("//"))
      return command(line);
    if (line.starts_with('/'))
      line.remove_prefix(1);
    if (named_)
      return say(line);
    if (line.size() > longest_name)
      return send_line(too_long);
    name_ = line;
    claim("lobby");
  }

  void connection_lost(const troupe::failure&) override {
    if (former_)
      send(users_, release_atom::value, *former_);
    if (claimed_)
      send(users_, release_atom::value, name_);
  }

  caf::behavior make_behavior() override {
    return shared_behavior<&chat::told, &chat::answered, &chat::granted, &chat::taken,
                           &chat::asked>();
  }

private:
  static constexpr std::size_t longest_name = 100; // of a user, in front of all they say; or a room
  static constexpr std::string_view too_long = "Name too long, please choose another.";
  static constexpr std::size_t block = 64 * 1024; // who says more in one turn goes on in the next

  // -- what the user says -------------------------------------------------------------------------

  // What is said in one turn is published as one block.
  template <class F>
  void collect(F deliver) {
    std::string said;
    said_ = &said;
    deliver();
    said_ = nullptr;
    publish(said);
  }

  // Goes on with what came while reading was paused.
  void go_on() {
    collect([this] { resume_lines(); });
  }

  void say(std::string_view text) {
    said_->append("<").append(name_).append("> ").append(text).append("\r\n");
    if (said_->size() < block)
      return;
    pause_lines(); // the name in front of short lines makes much of little
    call_later(troupe::duration::zero(), [this] { go_on(); });
  }

  void publish(std::string_view text) {
    if (!text.empty())
      room_.publish(text, troupe::except{this});
  }

  void command(std::string_view line) {
    publish(*said_); // it was said before
    said_->clear();
    const auto verb = line.substr(1, line.find(' ') - 1);
    const auto rest = std::string{trim(line.substr(1 + verb.size()))};
    if (verb == "quit")
      transport().lose_connection();
    else if (verb == "help")
      send_line("/join ROOM, /leave, /who, /nick NAME, /msg NAME TEXT (to a NAME without "
                "spaces), /quit, /help; //... says what begins with a slash.");
    else if (!named_)
      send_line("Choose a name first.");
    else if (verb == "join")
      rest.empty() || rest.size() > longest_name ? send_line("Which room? /join ROOM") : join(rest);
    else if (verb == "leave")
      room_.name() == "lobby" ? send_line("You are in the lobby already.") : join("lobby");
    else if (verb == "who")
      ask(who_atom::value, room_.name());
    else if (verb == "nick")
      rest.empty() ? send_line("Which name? /nick NAME") : rename(rest);
    else if (verb == "msg")
      tell(rest);
    else
      send_line("There is no command /" + std::string{verb} + "; /help lists them.");
  }

  void join(const std::string& room) {
    enter(room);
    send_line("You are in " + room + ".");
    ask(move_atom::value, name_, room);
  }

  void enter(const std::string& room) {
    if (room_)
      room_.unsubscribe(this);
    room_ = rooms_.get(room);
    room_.subscribe(this);
  }

  void rename(const std::string& name) {
    if (name.size() > longest_name)
      return send_line(too_long);
    if (name == name_)
      return send_line("You are " + name_ + " already.");
    former_ = std::make_unique<std::string>(std::exchange(name_, name));
    claim(room_.name());
  }

  void tell(std::string_view words) {
    const auto to = words.substr(0, words.find(' '));
    const auto text = trim(words.substr(to.size()));
    if (text.empty())
      return send_line("Whom, and what? /msg NAME TEXT");
    ask(tell_atom::value, name_, std::string{to}, std::string{text});
  }

  static std::string_view trim(std::string_view text) {
    const auto begin = text.find_first_not_of(' ');
    return begin == std::string_view::npos
             ? std::string_view{}
             : text.substr(begin, text.find_last_not_of(' ') - begin + 1);
  }

  // -- with the registry: what the user says next waits for the answer ----------------------------

  template <class... Question>
  void ask(Question&&... question) {
    send(users_, std::forward<Question>(question)...);
    pause_lines();
  }

  void answered(answer_atom, const troupe::shared_bytes& line) {
    transport().write(line);
    go_on();
  }

  void claim(const std::string& room) {
    claimed_ = true;
    ask(claim_atom::value, name_, room);
  }

  void granted(granted_atom) {
    if (former_) {
      send(users_, release_atom::value, *std::exchange(former_, nullptr));
      send_line("You are " + name_ + " now.");
    } else {
      named_ = true;
      send_line("Welcome, " + name_ + "!");
      enter("lobby");
    }
    go_on();
  }

  void taken(taken_atom) {
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

  caf::actor users_;
  troupe::topics rooms_;
  troupe::topic room_; // where the user is, once named
  std::string name_;
  std::unique_ptr<std::string> former_; // the name in use, while another one is asked for
  std::string* said_ = nullptr;         // collects what is said, while lines are received
  bool claimed_ = false;                // the registry has to be told when `name_` is free
  bool named_ = false;
};

/// A chat: its names and its rooms, which any number of ports may serve.
struct chat_service {
  explicit chat_service(troupe::runtime& rt) : users(rt.spawn<user_registry>()), rooms(rt) {}

  [[nodiscard]] troupe::factory_ref make_factory() const {
    return troupe::factory::for_protocol<chat>(users, rooms);
  }

  caf::actor users;
  troupe::topics rooms;
};
