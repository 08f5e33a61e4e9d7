#include "contestants.hpp"

#include "server.hpp"

namespace bench {

namespace {

using words = std::vector<std::string>;

const std::string programs = TROUPE_PEERS_PROGRAMS "/";
const std::string sources = TROUPE_PEERS_SOURCE "/";
const std::string examples = TROUPE_BENCH_EXAMPLES "/";

words troupe(const std::string& server, const std::string& loops) {
  return {examples + server, "--port", "0", "--interface", "127.0.0.1", "--loops", loops};
}

// One scheduler of each kind, and none of them spins while it waits: that would count as its CPU time.
words erlang(const std::string& module, const std::string& mode) {
  return {"erl", "-noinput", "+S",   "1:1",       "+SDcpu", "1:1",      "+SDio",
          "1",   "+sbwt",    "none", "+sbwtdcpu", "none",   "+sbwtdio", "none",
          "-pa", programs,   "-s",   module,      "start",  mode};
}

words go(const std::string& program, const words& more = {}) {
  words all{"env", "GOMAXPROCS=1", programs + program};
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

} // namespace

std::string contestant::missing() const {
  for (const auto& what : needed)
    if (!installed(what))
      return what;
  return {};
}

std::vector<contestant> the_field() {
  const std::string python = "/usr/bin/python3"; // Debian's: it has Debian's Twisted
  const std::string twisted = "/usr/lib/python3/dist-packages/twisted";
  return {
    {.name = "Troupe",
     .runtime = "Troupe",
     .chat = troupe("chat_server", "1"),
     .echo = troupe("echo_server", "1"),
     .needed = {examples + "chat_server", examples + "echo_server"}},
    {.name = "Asio",
     .runtime = "Asio",
     .chat = {programs + "asio_chat"},
     .echo = {programs + "asio_echo"},
     .needed = {programs + "asio_chat", programs + "asio_echo"}},
    {.name = "caf::io",
     .runtime = "caf::io",
     .chat = {programs + "caf_chat"},
     .echo = {programs + "caf_echo"},
     .needed = {programs + "caf_chat", programs + "caf_echo"}},
    {.name = "caf::io, collected",
     .runtime = "caf::io",
     .chat = {programs + "caf_collected_chat"},
     .echo = {},
     .needed = {programs + "caf_collected_chat"}},
    {.name = "Twisted",
     .runtime = "Twisted",
     .chat = {python, sources + "twisted_chat.py"},
     .echo = {python, sources + "twisted_echo.py"},
     .needed = {python, twisted}},
    {.name = "Twisted, collected",
     .runtime = "Twisted",
     .chat = {python, sources + "twisted_chat.py", "collected"},
     .echo = {},
     .needed = {python, twisted}},
    {.name = "Go",
     .runtime = "Go",
     .chat = go("go_chat"),
     .echo = go("go_echo"),
     .needed = {programs + "go_chat", programs + "go_echo"}},
    {.name = "Go, collected",
     .runtime = "Go",
     .chat = go("go_chat", {"collected"}),
     .echo = {},
     .needed = {programs + "go_chat"}},
    {.name = "Node",
     .runtime = "Node",
     .chat = {"node", sources + "chat.js"},
     .echo = {"node", sources + "echo.js"},
     .needed = {"node"}},
    {.name = "Node, collected",
     .runtime = "Node",
     .chat = {"node", sources + "chat.js", "collected"},
     .echo = {},
     .needed = {"node"}},
    {.name = "Erlang",
     .runtime = "Erlang",
     .chat = erlang("peer_chat", "plain"),
     .echo = erlang("peer_echo", "plain"),
     .needed = {"erl", programs + "peer_chat.beam", programs + "peer_echo.beam"}},
    {.name = "Erlang, collected",
     .runtime = "Erlang",
     .chat = erlang("peer_chat", "collected"),
     .echo = {},
     .needed = {"erl", programs + "peer_chat.beam"}},
  };
}

std::vector<contestant> two_loops() {
  const auto on = [](const std::string& name, const std::string& loops) {
    return contestant{.name = name,
                      .runtime = name,
                      .chat = troupe("chat_server", loops),
                      .echo = {},
                      .needed = {examples + "chat_server"},
                      .core = -1};
  };
  return {on("Troupe, 2 loops", "2"), on("Troupe, 1 loop", "1")};
}

} // namespace bench
