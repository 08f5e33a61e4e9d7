// A chat: each who connects chooses a name, and reads what the others in the room say.
//
//   $ build/release/examples/chat_server         $ telnet 127.0.0.1 8123
//   chat_server listens on 127.0.0.1:8123        What's your name?
//                                                ann
//                                                Welcome, ann!
//                                                <bob> hello, ann
//
// `/help` there lists the commands: /join ROOM and others. With `--telnet 8023` telnet clients find another port,
// where they edit their lines, and what others say does not get into them; on the first one `/terminal` does
// that. With `--irc 6667` clients of IRC are in the same rooms: the lobby is #lobby; with `--web 8080` browsers are, that open
// http://127.0.0.1:8080/, or https: with `--web-cert` and `--web-key`. With `--history chat.db` what is said is kept in that file, and `/history` shows it. `--observe 9101`
// prints the address of a page that shows what runs in here. With `--node chat-1 --nats nats://127.0.0.1:4222`, and
// chat-2 and so on elsewhere, several of them are one chat: `scripts/chat --nodes 3` runs three. With `--nats embedded` the first of
// them brings its own nats-server, and prints where the others find it. Ctrl-C here stops it. `--help` lists the options.

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#ifdef TROUPE_CHAT_HISTORY
#include <troupe/sqlite_history/sqlite_history.hpp>
#endif
#ifdef TROUPE_CHAT_NODES
#include <troupe/cluster/cluster.hpp>
#include <troupe/jetstream_history/jetstream_history.hpp>
#include <troupe/nats/embedded_nats_server.hpp>
#include <troupe/nats_backplane/nats_backplane.hpp>
#endif
#ifdef WITH_OBSERVER_PAGE
#include <troupe/observer_page/observer_page.hpp>
#endif

#include "chat/chat.hpp"
#include "chat/irc_door.hpp"
#ifdef WITH_WEB_DOOR
#include "chat/web_door.hpp"
#endif
#ifdef TROUPE_CHAT_NODES
#include "chat/node_registry.hpp"
#endif
#include "server_program.hpp"

namespace {

using make_chat = std::function<chat_service&(troupe::runtime&)>;

// The doors that are there if the components are which they are made of.
void add_more_doors(std::vector<server_program::door>& to, const make_chat& chat,
                    const std::string& web_root) {
#ifdef WITH_WEB_DOOR
  server_program::door web;
  web.option = "--web";
  web.about = "HTTP port with a page for browsers; 0 takes a free one";
  web.make_factory = [chat, &web_root](troupe::runtime& rt) {
    return make_web_door(rt, chat(rt), web_root);
  };
  web.same_loop = true;
  web.alpn = web_door_protocols();
  web.opened = [](const troupe::net_address& where, bool secure) {
    std::printf("web: http%s://%s/\n", secure ? "s" : "", where.to_string().c_str());
  };
  to.push_back(std::move(web));
#endif
#ifdef WITH_OBSERVER_PAGE
  const auto token = troupe::observer_token();
  server_program::door observe;
  observe.option = "--observe";
  observe.about =
    "HTTP port on 127.0.0.1 with a page that shows what runs in here; 0 takes a free one";
  observe.make_factory = [chat, token](troupe::runtime& rt) {
    const troupe::observer seen{rt};
    seen.add_topics("rooms", chat(rt).rooms->topics());
    return troupe::observer_page(seen, {.token = token, .name = "chat_server"});
  };
  observe.loopback = true;
  observe.opened = [token](const troupe::net_address& where, bool) {
    std::printf("observe: http://%s/#%s\n", where.to_string().c_str(), token.c_str());
  };
  to.push_back(std::move(observe));
#endif
  static_cast<void>(to);
  static_cast<void>(chat);
  static_cast<void>(web_root);
}

#ifdef TROUPE_CHAT_NODES
// One node of several.
struct node_options {
  std::string name;
  std::vector<std::string> nats; // where they meet
  bool jetstream = false;
  std::size_t replicas = 1;
  std::string folder; // of a server of its own
};

void add_node_options(CLI::App& app, node_options& node) {
  auto* const nats = app.add_option(
    "--nats", node.nats,
    "nats://HOST:PORT, or some with commas, where processes are one chat; embedded: its own");
  nats->delimiter(',')->allow_extra_args(false);
  auto* const name =
    app.add_option("--node", node.name, "the name of this process among them, as no other has it");
  nats->needs(name);
  name->needs(nats);
  auto* const jetstream = app.add_flag(
    "--jetstream", node.jetstream, "keeps what is said at that server, for /history on all nodes");
  jetstream->needs(nats);
  app
    .add_option("--replicas", node.replicas, "how many of the servers keep a copy of it: 1, 3 or 5")
    ->check(CLI::IsMember({1, 3, 5}))
    ->needs(jetstream);
  app
    .add_option("--nats-folder", node.folder,
                "where --nats embedded keeps what is said; otherwise in a temporary one")
    ->needs(nats);
  if (auto* const file = app.get_option_no_throw("--history"))
    jetstream->excludes(file);
}

// Starts a server for this process and others, where that is asked for.
void embed_nats(std::optional<troupe::embedded_nats_server>& server, node_options& node) {
  if (node.nats != std::vector<std::string>{"embedded"}) {
    if (!node.folder.empty())
      throw std::invalid_argument("--nats-folder is for --nats embedded");
    return;
  }
  if (node.replicas > 1)
    throw std::invalid_argument("--replicas is for several servers, and --nats embedded is one");
  auto log = troupe::make_logger("chat_server");
  log->set_level(spdlog::level::warn);
  server.emplace(
    troupe::embedded_nats_options{.server = {.name = node.name, .store_directory = node.folder},
                                  .temporary_store = true,
                                  .logger = std::move(log)});
  node.nats = {server->url()};
  std::printf("nats: %s\n", node.nats.front().c_str());
}

troupe::cluster_options options_of(const node_options& node) {
  troupe::nats_options nats;
  nats.servers = node.nats;
  troupe::cluster_options options;
  options.name = node.name;
  options.cluster = "chat";
  options.via = std::make_shared<troupe::nats_backplane>(nats);
  options.leave_hold = std::chrono::seconds(5);
  options.list_limit = options.max_entries; // all of them are shown
  options.version = TROUPE_VERSION;
  options.accepts = [](std::string_view, std::string_view lines) {
    return are_lines(lines);
  };
  return options;
}

std::shared_ptr<troupe::history_store> history_of(const node_options& node) {
  troupe::jetstream_history_options options;
  options.nats.servers = node.nats;
  options.name = "chat";
  options.replicas = node.replicas;
  options.per_topic = 10'000;
  return std::make_shared<troupe::jetstream_history>(std::move(options));
}
#endif

} // namespace

int main(int argc, char** argv) {
  std::optional<chat_service> service; // one for all ports
  std::string history;                 // the file
  std::optional<troupe::kept_topics> kept;
#ifdef TROUPE_CHAT_NODES
  node_options node;
  std::optional<troupe::embedded_nats_server> nats; // ends behind the runtime
  std::optional<troupe::cluster> cluster;
#endif
  const auto with_service = [&](troupe::runtime& rt) -> chat_service& {
    if (service)
      return *service;
#ifdef TROUPE_CHAT_HISTORY
    if (!history.empty())
      kept.emplace(rt, std::make_shared<troupe::sqlite_history>(
                         troupe::sqlite_history_options{.file = history, .per_topic = 10'000}));
#endif
#ifdef TROUPE_CHAT_NODES
    if (!node.nats.empty()) {
      embed_nats(nats, node);
      if (node.jetstream)
        kept.emplace(rt, history_of(node));
      cluster.emplace(rt, options_of(node));
      auto rooms =
        std::make_shared<chat_rooms>(rt, troupe::topics{*cluster}, kept ? &*kept : nullptr);
      auto names = rt.spawn<node_registry>(&*cluster, rooms);
      return service.emplace(std::move(names), std::move(rooms));
    }
#endif
    return service.emplace(rt, rt.spawn<user_registry>(), kept ? &*kept : nullptr);
  };
  std::vector<server_program::door> doors{
    {"--telnet", "TCP port for telnet clients, whose lines are edited here; 0 takes a free one",
     [&](auto& rt) {
       return with_service(rt).make_factory(troupe::telnet_editing::at_once);
     }},
    {"--irc", "TCP port for clients of IRC, where a room is a channel; 0 takes a free one",
     [&](auto& rt) { return make_irc_door(rt, with_service(rt)); }, true}};
  std::string web_root;
  add_more_doors(doors, with_service, web_root);
  return server_program::run(
    argc, argv, "chat_server", "A chat server.", 8123,
    [&](auto& rt) { return with_service(rt).make_factory(); }, false, std::move(doors),
    [&](auto& rt, troupe::manhole_options& manhole) {
      manhole.seen->add_topics("rooms", with_service(rt).rooms->topics());
    },
    [&]([[maybe_unused]] CLI::App& app) {
#ifdef TROUPE_CHAT_HISTORY
      app.add_option("--history", history, "keeps what is said in this file, for /history");
#endif
#ifdef TROUPE_CHAT_NODES
      add_node_options(app, node);
#endif
#ifdef WITH_WEB_DOOR
      app.add_option("--web-root", web_root,
                     "folder with the files of the page, in place of its own");
#endif
    },
    [&] {
#ifdef TROUPE_CHAT_NODES
      cluster.reset();
#endif
    });
}
