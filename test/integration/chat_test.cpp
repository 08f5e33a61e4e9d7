// The chat of the examples, over a network in memory: what its users can do to each other.

#include <algorithm>
#include <string>
#include <vector>

#include <troupe/testing/memory_network.hpp>

#include "chat/chat.hpp"
#include "support/catch.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

using list = std::vector<std::string>;

/// Who uses the chat, and reads all that comes.
class user : public line_receiver {
public:
  using line_receiver::line_receiver;
  void line_received(std::string_view line) override { heard.emplace_back(line); }
  list heard;
};

struct chat_of_users {
  explicit chat_of_users(caf::actor (*make_registry)(runtime&) =
                           [](runtime& rt) { return rt.spawn<user_registry>(); })
    : registry(make_registry(net.rt)),
      port(net.listen(0, factory::for_protocol<chat>(registry, topics{net.rt}))) {}

  void say(user& u, std::string_view text) {
    net.enter(u, [&] { u.transport().write(text); });
  }

  user& join(const std::string& name) {
    auto& u = net.connect<user>(port);
    say(u, name + "\r\n");
    net.flush();
    REQUIRE(u.heard == list{"What's your name?", "Welcome, " + name + "!"});
    u.heard.clear();
    return u;
  }

  memory_network net;
  const caf::actor registry;
  const std::uint16_t port;
};

std::string repeated(std::string_view text, std::size_t times) {
  std::string all;
  while (times-- > 0)
    all += text;
  return all;
}

} // namespace

TEST_CASE("what one user says in a single read costs no reader the connection, and little memory",
          "[chat]") {
  const std::string name(100, 'e');
  const std::string first = GENERATE("", "/who\r\n", "a name\r\n");
  const bool named = first != "a name\r\n";
  chat_of_users c;
  auto& ann = c.join("ann");
  auto& eve = named ? c.join(name) : c.net.connect<user>(c.port);
  const auto begin = named ? first : name + "\r\n";
  const auto lines = (65'536 - begin.size()) / 2;
  c.say(eve, begin + repeated("\r\n", lines));
  std::size_t most = 0;
  for (int quiet = 0; quiet < 8; ++quiet) {
    if (c.net.pump())
      quiet = 0;
    if (const auto* const to_ann = c.net.connections()[0].server())
      most = std::max(most, to_ann->unsent());
  }
  CHECK(ann.connected());
  CHECK(eve.connected());
  CHECK(ann.heard.size() == lines);
  CHECK(std::ranges::count(ann.heard, "<" + name + "> ") == std::ssize(ann.heard));
  CHECK(most < 256u * 1024);
}
