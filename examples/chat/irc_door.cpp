#include "irc_door.hpp"

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <troupe/irc/formatting.hpp>
#include <troupe/irc/history.hpp>
#include <troupe/irc/server.hpp>
#include <troupe/irc/session.hpp>
#include <troupe/net/printable.hpp>
#include <troupe/runtime/pinned_actor.hpp>

#include "chat.hpp"
#include "irc_history.hpp"
#include "irc_history_reader.hpp"
#include "names.hpp"
#include "rooms.hpp"
#include "user_registry.hpp"

namespace irc = troupe::irc;

namespace {

std::string_view without_sign(std::string_view channel) {
  return channel.substr(1);
}

constexpr std::size_t most_history = 100; // lines of an answer

class door;

/// One client. It has its name from the registry, as users of the other doors have.
class client : public irc::session {
public:
  client(caf::actor_config& cfg, std::shared_ptr<irc::server> of, caf::actor users)
    : session(cfg, std::move(of)), users_(std::move(users)) {}

  void claim(const std::string& nick) {
    wanted_ = check_user_name(nick).name;
    if (!name_.empty() && look_of(wanted_) == look_of(name_)) {
      name_ = std::exchange(wanted_, {});
      send(users_, respell_atom::value, name_);
      return answer_nick(true);
    }
    if (name_.empty())
      send(users_, claim_atom::value, wanted_, std::string{});
    else
      send(users_, claim_atom::value, wanted_, std::string{}, name_);
  }

  void connection_lost(const troupe::failure& reason) override {
    session::connection_lost(reason);
    for (const auto* const name : {&wanted_, &name_})
      if (!name->empty())
        send(users_, release_atom::value, *name);
  }

  caf::behavior make_behavior() override {
    return shared_behavior<&client::granted, &client::taken, &client::told, &client::answered,
                           &client::asked, &client::bumped>();
  }

  template <class... What>
  void tell_registry(What&&... what) {
    send(users_, std::forward<What>(what)...);
  }

  [[nodiscard]] const std::string& chat_name() const noexcept { return name_; }

  irc_history_reader past{*this};

private:
  void granted(granted_atom);

  void taken(taken_atom) {
    wanted_.clear();
    answer_nick(false);
  }

  void told(const troupe::shared_bytes& line);

  void answered(answer_atom, const troupe::shared_bytes& line) {
    auto text = line.text();
    if (text.ends_with("\r\n"))
      text.remove_suffix(2);
    if (!text.empty() && self() != nullptr)
      reply(401, {"*"}, text);
  }

  // Answers in the next turn, which begins with a look at the socket.
  void asked(asked_atom, const std::string& name) {
    call_later(troupe::duration::zero(), [this, name] { send(users_, present_atom::value, name); });
  }

  void bumped(bumped_atom, const std::string& name) {
    if (name == name_)
      close("your nick is that of somebody who had it before you, on another node");
  }

  const caf::actor users_;
  std::string name_;   // as the registry has it
  std::string wanted_; // that it was asked for
};

/// Hears for the door of what happens at the others.
class watcher : public troupe::pinned_actor {
public:
  watcher(caf::actor_config& cfg, std::weak_ptr<door> of, caf::actor users)
    : pinned_actor(cfg), door_(std::move(of)), users_(std::move(users)) {}

  caf::behavior make_behavior() override;

private:
  const std::weak_ptr<door> door_;
  caf::actor users_; // until it was asked: it keeps a handle of this actor
};

class door : public irc::server {
public:
  door(chat_service service)
    : server(
      {.name = "chat.local",
       .network = "Chat",
       .motd = {"A chat. Its rooms are channels: the lobby is #lobby, and users of other doors are",
                "there too. /list tells which there are."},
       .utf8_names = true,
       .per_address = 1000,
       .connects_per_minute = 6000,
       .nick_length = longest_name_bytes,
       .channel_length = longest_name_bytes + 1,
       .history_limit = service.rooms->keeps() ? most_history : 0}),
      service_(std::move(service)) {}

  troupe::factory_ref make_factory() override {
    return troupe::factory::for_protocol<client>(shared_from_this(), service_.users);
  }

  void start(troupe::runtime& rt) {
    watcher_ = rt.spawn_on<watcher>(
      0, std::weak_ptr<door>{std::static_pointer_cast<door>(shared_from_this())}, service_.users);
  }

  bool is_nick(std::string_view text) const override {
    // What is left out of a name would be shown by clients here: it is one as all see it, or none.
    return text.size() <= options().nick_length && !text.empty()
           && in_irc(check_user_name(text).name) == text;
  }

  bool is_channel_name(std::string_view text) const override {
    return server::is_channel_name(text)
           && in_irc(check_room_name(without_sign(text)).name) == without_sign(text);
  }

  std::string fold(std::string_view name) const override { return look_of(name); }

  // -- what happens at other doors ---------------------------------------------------------------

  void other_entered(const std::string& name, const std::string& room) {
    if (auto* const who = guest(name))
      enter(*who, '#' + in_irc(room));
  }

  void other_left(const std::string& name, const std::string& room) {
    auto* const who = known_guest(name);
    auto* const where = find_channel('#' + in_irc(room));
    if (who != nullptr && where != nullptr)
      leave(*who, *where, {});
  }

  void other_renamed(const std::string& former, const std::string& name) {
    auto* const who = known_guest(former);
    const auto* const has = find_user(in_irc(name));
    if (who != nullptr && (has == nullptr || has == who)) {
      who->realname = name;
      rename(*who, in_irc(name));
    }
  }

  void other_gone(const std::string& name) {
    if (auto* const who = known_guest(name))
      end(*who, "has left the chat");
  }

  // A block of lines (`parse_said`). One from another node may be anything.
  void others_said(const std::string& look, std::string_view lines) {
    auto* const where = find_channel('#' + in_irc(look));
    if (where == nullptr)
      return;
    std::string_view checked; // the name of the lines before
    while (!lines.empty()) {
      const auto line = lines.substr(0, lines.find("\r\n"));
      lines.remove_prefix(std::min(lines.size(), line.size() + 2));
      const auto said = parse_said(line);
      if (!said
          || (said->name != checked
              && in_irc(check_user_name(said->name).name) != in_irc(said->name)))
        continue;
      checked = said->name;
      as(said->name, [&](irc::user& who) { say(who, *where, irc_text(*said)); });
    }
  }

  // A line `[name] text` for one alone.
  void other_told(client& whom, std::string_view line) {
    const auto end = line.find("] ");
    if (whom.self() == nullptr || !line.starts_with('[') || end == std::string_view::npos)
      return;
    as(line.substr(1, end - 1),
       [&](irc::user& who) { tell(who, *whom.self(), line.substr(end + 2)); });
  }

  /// The registry has given a name to a client; whoever had it here is gone.
  void name_given(const std::string& name) {
    if (auto* const who = known_guest(name))
      end(*who, "has left the chat");
  }

protected:
  // -- what happens here ---------------------------------------------------------------------------

  void nick_wanted(irc::session& who, const std::string& nick) override {
    static_cast<client&>(who).claim(nick);
  }

  void entered(irc::user& who, irc::channel& where, bool) override {
    if (who.connection == nullptr)
      return;
    auto& o = of(who);
    auto& p = places_[fold(where.name)];
    if (p.clients++ == 0) {
      p.name = check_room_name(without_sign(where.name)).name;
      p.room = service_.rooms->get(p.name);
      p.room->said.subscribe(watcher_);
    }
    o.tell_registry(join_atom::value, o.chat_name(), p.name);
    notify(p, o.chat_name() + " has come.");
  }

  void left(irc::user& who, irc::channel& where, std::string_view) override {
    const auto found = places_.find(fold(where.name));
    if (who.connection == nullptr || found == places_.end())
      return;
    auto& o = of(who);
    auto& p = found->second;
    notify(p, o.chat_name() + " has left.");
    o.tell_registry(part_atom::value, o.chat_name(), p.name);
    if (--p.clients == 0) {
      p.room->said.unsubscribe(watcher_);
      places_.erase(found);
    }
  }

  void renamed(irc::user& who, const std::string& former) override {
    if (who.connection == nullptr)
      return;
    auto& o = of(who);
    for (const auto& at : who.places)
      if (const auto found = places_.find(fold(at.where->name)); found != places_.end()) {
        o.tell_registry(join_atom::value, o.chat_name(), found->second.name);
        notify(found->second,
               check_user_name(former).name + " is called " + o.chat_name() + " now.");
      }
  }

  void topic_set(irc::channel& where, std::string_view by) override {
    const auto found = places_.find(fold(where.name));
    if (found != places_.end())
      notify(found->second, check_user_name(by.substr(0, by.find('!'))).name
                              + " has set the topic: " + for_terminals(where.topic));
  }

  void said(irc::user& who, irc::channel& where, std::string_view text, bool) override {
    const auto found = places_.find(fold(where.name));
    if (found == places_.end())
      return;
    const auto& name = of(who).chat_name();
    constexpr std::string_view action = "\x01"
                                        "ACTION ";
    std::string line;
    if (text.starts_with(action))
      line = "* " + in_one_word(name) + ' ' + for_terminals(text.substr(action.size()));
    else if (text.starts_with('\x01'))
      return; // a question to clients of IRC
    else
      line = '<' + name + "> " + for_terminals(text);
    found->second.room->say(of(who), line + "\r\n", troupe::except{watcher_});
  }

  void history_wanted(irc::session& who, irc::channel& where,
                      const irc::history_question& question) override {
    const auto found = places_.find(fold(where.name));
    if (found == places_.end())
      return who.refuse_history("Messages could not be retrieved");
    static_cast<client&>(who).past.read(found->second.room->kept, where.name, question, store_);
  }

  // What was said to one alone is not kept.
  void history_targets_wanted(irc::session& who, const irc::history_targets_question&) override {
    std::vector<irc_history_reader::place> all;
    for (const auto& at : who.self()->places)
      if (const auto found = places_.find(fold(at.where->name)); found != places_.end())
        all.push_back({at.where->name, found->second.room->kept});
    static_cast<client&>(who).past.read_targets(std::move(all));
  }

  void told(irc::user& who, irc::user& whom, std::string_view text, bool notice) override {
    if (who.connection == nullptr
        || (text.starts_with('\x01')
            && !text.starts_with("\x01"
                                 "ACTION ")))
      return;
    (void)notice;
    if (text.starts_with('\x01'))
      text.remove_prefix(8);
    auto& o = of(who);
    o.tell_registry(tell_atom::value, o.chat_name(), whom.realname, for_terminals(text));
  }

private:
  struct place {
    std::string name;
    std::shared_ptr<chat_room> room;
    std::size_t clients = 0;
  };

  static client& of(irc::user& who) { return static_cast<client&>(*who.connection); }

  // So that whoever reads the line sees where the name ends.
  static std::string in_one_word(std::string_view name) {
    std::string word;
    for (const char c : name)
      c == ' ' ? word += "\xc2\xa0" : word += c;
    return word;
  }

  static std::string for_terminals(std::string_view text) {
    return troupe::printable(irc::strip_formatting(text));
  }

  void notify(place& p, const std::string& what) {
    if (p.room->happens.subscribers() > 0)
      p.room->happens.publish("* " + what + "\r\n");
  }

  irc::user* known_guest(std::string_view name) {
    auto* const who = find_user(in_irc(name));
    return who != nullptr && who->connection == nullptr ? who : nullptr;
  }

  // Returns the guest of that name, a new one if he is not known; null if it is a client of this door.
  irc::user* guest(std::string_view name) {
    auto nick = in_irc(name);
    if (auto* const who = find_user(nick))
      return who->connection == nullptr ? who : nullptr;
    return add_guest(std::move(nick), "chat", "other.door", std::string{name});
  }

  // Calls `fn` with the guest of that name; with a likeness of him if what he said is here before he is, or
  // after he has gone.
  template <class F>
  void as(std::string_view name, F fn) {
    if (auto* const who = find_user(in_irc(name)))
      return who->connection == nullptr ? fn(*who) : void();
    irc::user likeness;
    likeness.nick = in_irc(name);
    likeness.name = "chat";
    likeness.host = "other.door";
    fn(likeness);
  }

  const chat_service service_;
  const std::shared_ptr<int> store_ = std::make_shared<int>(); // `irc_history_reader::read`
  caf::actor watcher_;
  std::map<std::string, place> places_; // where clients are, by folded names of channels
};

void client::granted(granted_atom) {
  auto& its = static_cast<door&>(of());
  its.name_given(wanted_);
  const auto former = std::exchange(name_, std::exchange(wanted_, {}));
  answer_nick(true);
  if (!former.empty())
    send(users_, release_atom::value, former);
}

void client::told(const troupe::shared_bytes& line) {
  auto text = line.text();
  if (text.ends_with("\r\n"))
    text.remove_suffix(2);
  static_cast<door&>(of()).other_told(*this, text);
}

caf::behavior watcher::make_behavior() {
  send(users_, watch_atom::value);
  users_ = caf::actor{};
  const auto with = [this](auto fn) {
    if (const auto of = door_.lock())
      fn(*of);
  };
  return {
    [with](entered_atom, const std::string& name, const std::string& room) {
      with([&](door& d) { d.other_entered(name, room); });
    },
    [with](left_atom, const std::string& name, const std::string& room) {
      with([&](door& d) { d.other_left(name, room); });
    },
    [with](renamed_atom, const std::string& former, const std::string& name) {
      with([&](door& d) { d.other_renamed(former, name); });
    },
    [with](gone_atom, const std::string& name) { with([&](door& d) { d.other_gone(name); }); },
    [with](const troupe::published& what) {
      with([&](door& d) { d.others_said(what.from.name(), what.bytes.text()); });
    },
  };
}

} // namespace

troupe::factory_ref make_irc_door(troupe::runtime& rt, const chat_service& service) {
  const auto made = std::make_shared<door>(service);
  made->start(rt);
  return made->make_factory();
}
