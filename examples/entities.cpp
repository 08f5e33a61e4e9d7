// Word counts that are shared by several processes, an actor for each word: start it in a few terminals, type words, and end one of
// them. With "quit" it hands its words over; those of one that is killed begin anew at the others.
//
//   $ nats-server -a 127.0.0.1 &
//   $ build/release/examples/entities --nats nats://127.0.0.1:4222 ann
//   $ build/release/examples/entities --nats nats://127.0.0.1:4222 bob

#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include <caf/atom.hpp>

#include <troupe/nats_backplane/nats_backplane.hpp>
#include <troupe/net/line_receiver.hpp>
#include <troupe/net/open_stdio.hpp>
#include <troupe/sharded/sharded.hpp>

#include "command_line.hpp"

using namespace std::chrono_literals;

namespace {

using count_atom = caf::atom_constant<caf::atom("count")>;

/// One word, on one of the nodes.
class word final : public troupe::entity {
public:
  word(caf::actor_config& cfg, troupe::entity_start begin, std::string node)
    : entity(cfg, std::move(begin)), node_(std::move(node)) {
    if (state().match_elements<std::int64_t>())
      times_ = state().get_as<std::int64_t>(0);
  }
  caf::behavior make_behavior() override {
    return {[this](count_atom) {
      return key() + ": " + std::to_string(++times_) + ", on " + node_;
    }};
  }

protected:
  troupe::deferred<caf::message> hand_over(troupe::entity_end) override {
    return troupe::succeed(caf::make_message(times_));
  }

private:
  const std::string node_;
  std::int64_t times_ = 0;
};

/// Counts what is typed.
class typist final : public troupe::line_receiver {
public:
  typist(caf::actor_config& cfg, troupe::sharded<word>& words, std::function<void()> leave)
    : line_receiver(cfg), words_(words), leave_(std::move(leave)) {}
  void connection_made() override { set_delimiter("\n"); }
  void line_received(std::string_view line) override {
    if (line == "quit")
      return leave_();
    if (line.empty())
      return;
    ask<std::string>(*this, words_.get(std::string{line.substr(0, 200)}), 20s, count_atom::value)
      .add_both([this](const troupe::outcome<std::string>& got) {
        send_line(got ? *got : got.error().message());
      });
  }

  void connection_lost(const troupe::failure&) override {
    if (!loop().stopping()) // which is why the connection ends
      leave_();
  }

private:
  troupe::sharded<word>& words_;
  const std::function<void()> leave_;
};

} // namespace

int main(int argc, char** argv) {
  std::string server;
  std::string name;
  CLI::App app{"Counts words, with other processes", "entities"};
  app.add_option("--nats", server, "the server: nats://host:port")->required();
  app.add_option("name", name, "of this process")->required();
  if (const auto status = command_line::parse(app, argc, argv))
    return *status;
  try {
    troupe::runtime rt{{.loops = 1}};
    troupe::nats_options nats;
    nats.servers = {server};
    troupe::cluster cluster{
      rt, {.name = name, .via = std::make_shared<troupe::nats_backplane>(std::move(nats))}};
    troupe::sharded<word> words{cluster, {.name = "words"}, name};
    const std::function<void()> leave = [&] {
      cluster.drain({.grace = 5s}).add_callback([&rt] { rt.stop(); });
    };
    troupe::open_stdio(rt, troupe::build<typist>(std::ref(words), leave));
    return rt.run().exit_code();
  } catch (const std::exception& e) { // a name or a server that cannot be
    std::fprintf(stderr, "entities: %s\n", e.what());
    return command_line::wrong_usage;
  }
}
