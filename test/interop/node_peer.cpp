// A node with a topic, "room", and one that is kept, "kept", at a NATS server or several, for nats_servers_check.py:
// node_peer NAME URL[,URL...] REPLICAS
//
// It is told by lines what to do, and says what happens:
//
//   say TEXT   publishes "NAME says TEXT", which each other node prints
//   keep ID    appends a message with that id: "kept ID SEQUENCE", or "failed ID WHY"
//   page       what is kept, as far as it is one page: "page ID ID..."
//   race TIMES has a lease that all want so often, for some milliseconds: "held BEGIN END", by the steady clock; "raced"
//
//   event ...  what happens to nodes             read SEQUENCE ID   what is kept
//   follows       it hears what is kept from now on; the end of its input ends it

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <spdlog/sinks/stdout_sinks.h>

#include <troupe/actors/topics.hpp>
#include <troupe/cluster/cluster.hpp>
#include <troupe/history/kept_topics.hpp>
#include <troupe/jetstream_history/jetstream_history.hpp>
#include <troupe/jetstream_leases/jetstream_leases.hpp>
#include <troupe/leases/leases.hpp>
#include <troupe/nats_backplane/nats_backplane.hpp>
#include <troupe/net/line_receiver.hpp>
#include <troupe/net/open_stdio.hpp>

namespace {

struct parts {
  std::string name;
  troupe::runtime& rt;
  troupe::cluster& cluster;
  troupe::topic room;
  troupe::kept_topic kept;
  troupe::jetstream_leases_options leases;
};

class told final : public troupe::line_receiver {
public:
  told(caf::actor_config& cfg, const parts& p) : line_receiver(cfg), parts_(p) {}

  void connection_made() override {
    set_delimiter("\n");
    parts_.cluster.observe(*this, [this](const troupe::node_event& e) {
      send_line("event " + std::string{to_string(e.kind)} + ' ' + e.node);
    });
    parts_.room.subscribe(this);
    follow();
  }

  void line_received(std::string_view line) override {
    const auto verb = line.substr(0, line.find(' '));
    const std::string rest{line.substr(std::min(line.size(), verb.size() + 1))};
    if (verb == "say")
      parts_.room.publish(parts_.name + " says " + rest + '\n', troupe::except{this});
    else if (verb == "keep")
      keep(rest);
    else if (verb == "race")
      race(std::atoi(rest.c_str()));
    else
      page();
  }

  void connection_lost(const troupe::failure&) override { parts_.rt.stop(); }

private:
  // From now on; again, until the store has said from where that is.
  void follow() {
    parts_.kept
      .resume(this, {}, 0,
              [this](const troupe::kept_message& m) {
                send_line("read " + std::to_string(m.at.sequence) + ' ' + m.id);
              })
      .add_callback([this](const troupe::resumed& r) {
        if (!r.complete)
          return follow();
        send_line("follows");
      });
  }

  void keep(const std::string& id) {
    parts_.kept.append(*this, id, {.id = id})
      .add_callbacks(
        [this, id](const troupe::history_position& at) {
          send_line("kept " + id + ' ' + std::to_string(at.sequence));
        },
        [this, id](const troupe::failure& why) {
          send_line("failed " + id + ' ' + why.message());
        });
  }

  void page() {
    parts_.kept.history(*this, {.limit = 10'000})
      .add_callbacks(
        [this](const troupe::history_page& p) {
          std::string ids;
          for (const auto& m : p.messages)
            ids += ' ' + m->id;
          send_line("page" + ids);
        },
        [this](const troupe::failure& why) { send_line("no page: " + why.message()); });
  }

  void race(int times) {
    if (times == 0)
      return send_line("raced");
    if (!locks_)
      locks_.emplace(parts_.rt, std::make_shared<troupe::jetstream_leases>(parts_.leases),
                     troupe::leases_options{.node = parts_.name});
    locks_->acquire(*this, "race")
      .add_callbacks(
        [this, times](troupe::lease got) {
          lease_ = std::move(got);
          call_later(std::chrono::milliseconds(5), [this, times, begin = nanoseconds()] {
            if (lease_.held()) // else it was lost meanwhile
              send_line("held " + std::to_string(begin) + ' ' + std::to_string(nanoseconds()));
            lease_.release();
            race(times - 1);
          });
        },
        [this](const troupe::failure& why) { send_line("no lease: " + why.message()); });
  }

  static std::int64_t nanoseconds() {
    return std::chrono::steady_clock::now().time_since_epoch().count();
  }

  const parts& parts_;
  std::optional<troupe::leases> locks_;
  troupe::lease lease_;
};

std::vector<std::string> split(const std::string& list) {
  std::vector<std::string> all;
  for (std::size_t at = 0, end = 0; at <= list.size(); at = end + 1) {
    end = std::min(list.find(',', at), list.size());
    all.push_back(list.substr(at, end - at));
  }
  return all;
}

} // namespace

int main(int argc, char** argv) {
  if (argc != 4)
    return std::fprintf(stderr, "usage: node_peer NAME URL[,URL...] REPLICAS\n"), 2;
  troupe::runtime rt{{.loops = 1, .logger = spdlog::stderr_logger_mt("node_peer")}};
  troupe::nats_options nats;
  nats.servers = split(argv[2]);
  nats.name = argv[1];
  troupe::jetstream_history_options history;
  history.nats = nats;
  history.name = "kept";
  history.replicas = static_cast<std::size_t>(std::atoi(argv[3]));
  troupe::jetstream_leases_options leases;
  leases.nats = nats;
  leases.nats.name += " leases";
  leases.replicas = history.replicas;
  troupe::kept_topics kept{rt, std::make_shared<troupe::jetstream_history>(std::move(history))};
  troupe::cluster cluster{
    rt, {.name = argv[1], .via = std::make_shared<troupe::nats_backplane>(std::move(nats))}};
  troupe::topics rooms{cluster};
  const parts all{argv[1], rt, cluster, rooms.get("room"), kept.get("kept"), std::move(leases)};
  troupe::open_stdio(rt, troupe::build<told>(std::cref(all)));
  return rt.run().exit_code();
}
