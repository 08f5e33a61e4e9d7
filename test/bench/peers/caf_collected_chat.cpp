// The chat server that Troupe's is compared with, written for caf::io by a careful author: one
// broker is the room and has all connections, so that no line is a message, and it flushes what it
// wrote to a user once for all that was waiting to be read.

#include <cstdio>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <caf/all.hpp>
#include <caf/io/all.hpp>

namespace {

using caf::io::connection_handle;
using flush_atom = caf::atom_constant<caf::atom("flush")>;

struct user {
  std::string name;
  std::string input;
  bool unsent = false;
};

struct room {
  std::unordered_map<connection_handle, user> users; // connections without a name too
  std::unordered_map<std::string, connection_handle> names;
  std::vector<connection_handle> unsent;
};

using broker = caf::stateful_actor<room, caf::io::broker>;

void send(broker* self, connection_handle to, user& who, std::string_view text) {
  auto& all = self->state;
  self->write(to, text.size(), text.data());
  if (std::exchange(who.unsent, true))
    return;
  if (all.unsent.empty())
    self->send(self, flush_atom::value); // behind what other connections have brought by now
  all.unsent.push_back(to);
}

void received(broker* self, connection_handle from, user& who, std::string_view line) {
  auto& all = self->state;
  if (!who.name.empty()) {
    std::string said;
    said.reserve(who.name.size() + line.size() + 5);
    said.append("<").append(who.name).append("> ").append(line).append("\r\n");
    for (const auto& [name, handle] : all.names)
      if (handle != from)
        send(self, handle, all.users[handle], said);
  } else if (all.names.emplace(std::string{line}, from).second) {
    who.name = line;
    send(self, from, who, "Welcome, " + who.name + "!\r\n");
  } else {
    send(self, from, who, "Name taken, please choose another.\r\n");
  }
}

caf::behavior server(broker* self) {
  const auto port = self->add_tcp_doorman(0, "127.0.0.1", true);
  if (!port) {
    self->quit();
    return {};
  }
  std::printf("listens on 127.0.0.1:%d\n", port->second);
  std::fflush(stdout);
  return {
    [=](const caf::io::new_connection_msg& message) {
      self->configure_read(message.handle, caf::io::receive_policy::at_most(65536));
      send(self, message.handle, self->state.users[message.handle], "What's your name?\r\n");
    },
    [=](const caf::io::new_data_msg& message) {
      auto& who = self->state.users[message.handle];
      who.input.append(message.buf.data(), message.buf.size());
      std::size_t start = 0;
      for (std::size_t end; (end = who.input.find("\r\n", start)) != std::string::npos;
           start = end + 2)
        received(self, message.handle, who, std::string_view{who.input}.substr(start, end - start));
      who.input.erase(0, start);
    },
    [=](const caf::io::connection_closed_msg& message) {
      auto& all = self->state;
      const auto found = all.users.find(message.handle);
      if (found == all.users.end())
        return;
      if (!found->second.name.empty())
        all.names.erase(found->second.name);
      all.users.erase(found);
    },
    [=](flush_atom) {
      auto& all = self->state;
      for (const auto& handle : std::exchange(all.unsent, {}))
        if (const auto found = all.users.find(handle); found != all.users.end()) {
          found->second.unsent = false;
          self->flush(handle);
        }
    },
  };
}

} // namespace

int main() {
  caf::actor_system_config cfg;
  cfg.load<caf::io::middleman>();
  cfg.set("scheduler.max-threads", std::size_t{1});
  caf::actor_system sys{cfg};
  sys.middleman().spawn_broker(server);
  sys.await_all_actors_done();
}
