// A client of IRC that takes files and gives them away, by DCC.
//
//   $ build/release/examples/irc_files irc.example --folder /srv/files
//   signed on as files
//   ann sends notes.txt, 1234 bytes
//   notes.txt is there
//
// "/msg files get notes.txt" has it offered, "/msg files list" what there is, "/msg files chat" opens a chat that says
// the same again. Files that are there are not written to, but one that came in part is resumed. By default only
// public addresses are connected to; --private allows all. Twenty files and chats are under way at most.
//
// Ctrl-C says goodbye.

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include <troupe/irc/client.hpp>
#include <troupe/irc/dcc_file.hpp>
#include <troupe/irc/formatting.hpp>
#include <troupe/net/connect_tcp.hpp>
#include <troupe/net/printable.hpp>
#include <troupe/net/tcp_endpoint.hpp>
#include <troupe/runtime/runtime.hpp>

#include "command_line.hpp"

namespace {

namespace irc = troupe::irc;

struct settings {
  std::string folder = ".";
  std::string interface = "0.0.0.0";
  bool private_addresses = false;
};

// Whoever has a copy is one of those that are under way.
using place = std::shared_ptr<const int>;

class mirror : public irc::dcc_chat {
public:
  mirror(caf::actor_config& cfg, place here) : dcc_chat(cfg), here_(std::move(here)) {}
  void message(std::string_view text) override { say(text); }

private:
  const place here_;
};

class files : public irc::client {
public:
  files(caf::actor_config& cfg, irc::client_options who, troupe::runtime* rt, settings s)
    : client(cfg, std::move(who)), rt_(*rt), settings_(std::move(s)) {}

  void signed_on() override { print("signed on as " + nick()); }
  void error(std::string_view text) override { print(std::string{text}); }

  void privmsg(const irc::origin& from, std::string_view to, std::string_view text) override {
    if (from.myself || to != nick())
      return;
    const std::string who{from.nick};
    if (text == "list")
      list(who);
    else if (is_full())
      say(who, "later, please");
    else if (text == "chat")
      chat(who);
    else if (text.starts_with("get "))
      give(who, irc::dcc_file_name(text.substr(4)));
  }

  void dcc_requested(const irc::origin& from, const irc::dcc_request& r) override {
    const std::string who{from.nick};
    if (r.kind == irc::dcc_kind::accept)
      resumed(who, r);
    else if (r.kind == irc::dcc_kind::resume)
      resume(who, r);
    else if (is_full())
      say(who, "later, please");
    else if (r.kind == irc::dcc_kind::send)
      take(who, r);
    else if (const auto why = irc::dcc_refusal(r, rules()); why.empty() && r.port != 0)
      troupe::connect_tcp(rt_, r.address.host(), r.port,
                          troupe::client_factory::for_protocol<mirror>(places_));
    else
      print(who + " wants to chat: refused" + (why.empty() ? why : ", " + why));
  }

  void connection_lost(const troupe::failure& why) override {
    for (const auto& offer : std::exchange(offers_, {}))
      offer.second->withdraw();
    client::connection_lost(why);
  }

protected:
  void stop_requested() override {
    quit("Ctrl-C");
    client::stop_requested();
  }

private:
  static constexpr long most_places = 20;
  using asked = std::pair<std::string, std::uint16_t>; // a nick, a port

  [[nodiscard]] bool is_full() const { return places_.use_count() > most_places; }
  [[nodiscard]] irc::dcc_rules rules() const {
    return {.private_addresses = settings_.private_addresses};
  }
  [[nodiscard]] std::string own() { return transport().get_host().host(); }
  [[nodiscard]] irc::dcc_listen_options listening() const {
    irc::dcc_listen_options o;
    o.interface = settings_.interface;
    return o;
  }

  void list(const std::string& who) {
    std::error_code ignored;
    std::size_t told = 0;
    for (const auto& entry : std::filesystem::directory_iterator{settings_.folder, ignored})
      if (entry.is_regular_file(ignored) && ++told <= 20)
        say(who, troupe::printable(entry.path().filename().string()));
  }

  void chat(const std::string& who) {
    const auto port =
      irc::listen_dcc(rt_, troupe::factory::for_protocol<mirror>(places_), listening())
        .get_host()
        .port();
    irc::dcc_request r;
    r.kind = irc::dcc_kind::chat;
    r.file = "chat";
    r.address = troupe::net_address::ip(own(), port);
    r.port = port;
    dcc(who, r);
  }

  void give(const std::string& who, const std::string& name) {
    try {
      const auto offer = irc::offer_file(rt_, settings_.folder + '/' + name, own(), listening());
      dcc(who, offer->request());
      const asked key{who, offer->request().port};
      offers_[key] = offer;
      offer->sent().add_callbacks(
        [this, key, name, here = place{places_}](std::uint64_t bytes) {
          offers_.erase(key);
          print(key.first + " has " + name + ", " + std::to_string(bytes) + " bytes");
        },
        [this, key, name](const troupe::failure& why) {
          offers_.erase(key);
          print(key.first + " has not got " + name + ": " + why.message());
        });
    } catch (const std::exception& e) {
      say(who, "there is no " + name);
    }
  }

  void resume(const std::string& who, const irc::dcc_request& r) {
    if (const auto found = offers_.find({who, r.port}); found != offers_.end())
      if (const auto accept = found->second->resume(r))
        dcc(who, *accept);
  }

  void take(const std::string& who, const irc::dcc_request& offer) {
    const auto name = irc::dcc_file_name(offer.file);
    print(who + " sends " + name + ", "
          + (offer.size ? std::to_string(*offer.size) : std::string{"some"}) + " bytes");
    std::error_code none;
    const auto there = std::filesystem::file_size(settings_.folder + '/' + name, none);
    if (!none && offer.port != 0 && there < offer.size.value_or(0)
        && irc::dcc_refusal(offer, rules()).empty()) {
      auto& waiting = asked_[{who, offer.port}];
      if (waiting.end.active())
        waiting.end.cancel();
      waiting = {offer, there, places_, {}};
      dcc(who, irc::resume_request(offer, there));
      waiting.end =
        call_later(std::chrono::seconds{60}, [this, key = asked{who, offer.port}, name] {
          asked_.erase(key);
          print(name + " is there in part, and is not resumed");
        });
      return;
    }
    receive(who, offer, {});
  }

  void resumed(const std::string& who, const irc::dcc_request& accept) {
    const auto found = asked_.find({who, accept.port});
    if (found == asked_.end() || accept.position != found->second.position)
      return;
    const auto offer = found->second.offer;
    found->second.end.cancel();
    asked_.erase(found);
    receive(who, offer, accept.position);
  }

  void receive(const std::string& who, const irc::dcc_request& offer,
               std::optional<std::uint64_t> from) {
    irc::dcc_receive_options o;
    o.folder = settings_.folder;
    o.rules = rules();
    o.resume_at = from;
    const auto name = irc::dcc_file_name(offer.file);
    auto received = offer.port != 0 ? irc::receive_file(rt_, offer, o) : answer(who, offer, o);
    std::move(received).add_callbacks(
      [name, here = place{places_}](const irc::dcc_received&) { print(name + " is there"); },
      [name](const troupe::failure& why) { print(name + ": " + why.message()); });
  }

  // The sender cannot be connected to, and asks for the reverse.
  troupe::deferred<irc::dcc_received> answer(const std::string& who, const irc::dcc_request& offer,
                                             const irc::dcc_receive_options& o) {
    try {
      auto answered = irc::receive_file_here(rt_, offer, own(), o, listening());
      if (answered.reply.port != 0)
        dcc(who, answered.reply);
      return std::move(answered.received);
    } catch (const troupe::cannot_listen_error& e) {
      return troupe::fail<irc::dcc_received>(
        troupe::failure{troupe::errc::invalid_argument, e.what()});
    }
  }

  static void print(const std::string& text) {
    command_line::say(troupe::printable(irc::strip_formatting(text)));
  }

  troupe::runtime& rt_;
  const settings settings_;
  const place places_ = std::make_shared<const int>();
  std::map<asked, std::shared_ptr<irc::dcc_offer>> offers_;

  struct to_resume {
    irc::dcc_request offer;
    std::uint64_t position = 0;
    place here;
    troupe::delayed_call end;
  };
  std::map<asked, to_resume> asked_;
};

} // namespace

int main(int argc, char** argv) {
  std::string host = "127.0.0.1", nick = "files";
  settings s;
  std::uint16_t port = 6667;
  CLI::App app{"Takes files and gives them away, by DCC.", "irc_files"};
  app.add_option("host", host, "the server")->required();
  app.add_option("--port", port, "its TCP port (6667)");
  app.add_option("--nick", nick, "what it is called (files)");
  app.add_option("--folder", s.folder, "where the files are (.)")->check(CLI::ExistingDirectory);
  app.add_option("--interface", s.interface, "local address on which it offers files (0.0.0.0)")
    ->check(command_line::local_address);
  app.add_flag("--private", s.private_addresses, "connect to addresses that are not public, too");
  if (const auto status = command_line::parse(app, argc, argv))
    return *status;
  troupe::runtime rt;
  troupe::connect_tcp(
    rt, host, port,
    troupe::client_factory::for_protocol<files>(irc::client_options{.nick = nick}, &rt, s));
  return rt.run().exit_code();
}
