// The chat server that Troupe's is compared with, written for caf::io: one broker for each
// connection, as its manual has it, and an actor that is the room. A line is one message, which all
// who get it share.

#include <cstdio>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include <caf/all.hpp>
#include <caf/io/all.hpp>

namespace {

using join_atom = caf::atom_constant<caf::atom("join")>;       // user -> room: name
using publish_atom = caf::atom_constant<caf::atom("publish")>; // user -> room: line
using line_atom = caf::atom_constant<caf::atom("line")>;       // room -> user
using welcome_atom = caf::atom_constant<caf::atom("welcome")>; // room -> user: name
using taken_atom = caf::atom_constant<caf::atom("taken")>;     // room -> user

struct members {
  std::unordered_map<std::string, caf::actor> by_name;
};

caf::behavior room(caf::stateful_actor<members>* self) {
  self->set_down_handler([=](const caf::down_msg& down) {
    auto& all = self->state.by_name;
    for (auto i = all.begin(); i != all.end(); ++i)
      if (i->second.address() == down.source)
        return void(all.erase(i));
  });
  return {
    [=](join_atom, const std::string& name) {
      const auto user = caf::actor_cast<caf::actor>(self->current_sender());
      if (!self->state.by_name.emplace(name, user).second)
        return self->send(user, taken_atom::value);
      self->monitor(user);
      self->send(user, welcome_atom::value, name);
    },
    [=](publish_atom, const std::string& line) {
      const auto said = caf::make_message(line_atom::value, line);
      for (const auto& [name, user] : self->state.by_name)
        if (user != self->current_sender())
          self->send(user, said);
    },
  };
}

struct user {
  std::string name;
  std::string input;
  bool waiting = false; // for the room's answer; lines stay in `input`
};

using broker = caf::stateful_actor<user, caf::io::broker>;

void take_lines(broker* self, const caf::actor& everybody) {
  auto& me = self->state;
  std::size_t start = 0;
  for (std::size_t end; !me.waiting && (end = me.input.find("\r\n", start)) != std::string::npos;
       start = end + 2) {
    auto line = me.input.substr(start, end - start);
    if (!me.name.empty()) {
      self->send(everybody, publish_atom::value, "<" + me.name + "> " + line + "\r\n");
    } else {
      me.waiting = true;
      self->send(everybody, join_atom::value, std::move(line));
    }
  }
  me.input.erase(0, start);
}

caf::behavior connection(broker* self, caf::io::connection_handle handle,
                         const caf::actor& everybody) {
  const auto write = [=](std::string_view text) {
    self->write(handle, text.size(), text.data());
    self->flush(handle);
  };
  self->configure_read(handle, caf::io::receive_policy::at_most(65536));
  write("What's your name?\r\n");
  return {
    [=](const caf::io::new_data_msg& message) {
      self->state.input.append(message.buf.data(), message.buf.size());
      take_lines(self, everybody);
    },
    [=](const caf::io::connection_closed_msg&) { self->quit(); },
    [=](line_atom, const std::string& line) { write(line); },
    [=](welcome_atom, const std::string& name) {
      self->state.name = name;
      self->state.waiting = false;
      write("Welcome, " + name + "!\r\n");
      take_lines(self, everybody);
    },
    [=](taken_atom) {
      self->state.waiting = false;
      write("Name taken, please choose another.\r\n");
      take_lines(self, everybody);
    },
  };
}

caf::behavior server(caf::io::broker* self, const caf::actor& everybody) {
  const auto port = self->add_tcp_doorman(0, "127.0.0.1", true);
  if (!port) {
    self->quit();
    return {};
  }
  std::printf("listens on 127.0.0.1:%d\n", port->second);
  std::fflush(stdout);
  return {
    [=](const caf::io::new_connection_msg& message) {
      self->fork(connection, message.handle, everybody);
    },
  };
}

} // namespace

int main() {
  caf::actor_system_config cfg;
  cfg.load<caf::io::middleman>();
  cfg.set("scheduler.max-threads", std::size_t{1});
  caf::actor_system sys{cfg};
  sys.middleman().spawn_broker(server, sys.spawn(room));
  sys.await_all_actors_done();
}
