#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <troupe/actors/topics.hpp>
#include <troupe/cluster/cluster.hpp>
#include <troupe/testing/manual_runtime.hpp>
#include <troupe/testing/simulated_backplane.hpp>

namespace troupe::testing {

/// What a `cluster_fixture` is told.
struct cluster_fixture_options {
  std::size_t nodes = 3;
  std::uint64_t seed = 1;
  simulated_backplane::conditions network{};

  /// What each node is told, but for its name, backplane and seed. Nodes are remembered for an hour unless
  /// it says otherwise: the checks compare what was sent with what came.
  cluster_options node{};
  duration step = std::chrono::milliseconds(1); ///< how exact time is
};

/// A cluster of many nodes in one process and one thread, whose time, network and accidents a test has in
/// its hands: the same seed and the same calls are the same run.
///
/// ```cpp
/// testing::cluster_fixture net{{.nodes = 200, .seed = 7}};
/// net.subscribe(3, "lobby");
/// net.run_for(1s);
/// net.publish(150, "lobby");
/// net.split({0, 1, 2, 3});
/// net.run_for(10s);
/// net.settle(); // mends everything, and waits until all agree
/// ```
///
/// All nodes share one `manual_runtime`; each has a clock of its own, which stands still while it is
/// stopped. Nodes are called "n0", "n1" and so on. They have no topics but those that a test uses.
///
/// **A checker watches always.** `run_for` throws if a node hears a publication twice, out of its
/// publisher's order, or of a topic that it does not subscribe to. `settle` throws if views do not become
/// equal, if something is lost that nobody counted, or if a subscriber stays deaf.
///
/// Thread: one.
class cluster_fixture {
public:
  explicit cluster_fixture(cluster_fixture_options options = {});
  ~cluster_fixture();
  cluster_fixture(const cluster_fixture&) = delete;
  cluster_fixture& operator=(const cluster_fixture&) = delete;

  [[nodiscard]] manual_runtime& runtime() noexcept { return rt_; }
  [[nodiscard]] simulated_backplane& network() noexcept { return *network_; }
  [[nodiscard]] std::size_t size() const noexcept { return nodes_.size(); }
  [[nodiscard]] time_point now() const noexcept { return now_; }

  /// Returns the node with this number, and its topics.
  ///
  /// \throws std::logic_error if it does not run
  [[nodiscard]] troupe::cluster& node(std::size_t number);
  [[nodiscard]] topics& rooms(std::size_t number);
  [[nodiscard]] bool runs(std::size_t number) const;

  /// Returns what the node knows of another one, or a state of `left` with incarnation 0 if it knows none.
  [[nodiscard]] node_info view(std::size_t of, std::size_t on);

  /// Lets time pass, in steps.
  ///
  /// \throws assertion_failed if the checker saw something
  void run_for(duration span);

  /// Runs until `done()`, and returns whether that was within `most`.
  template <class Done>
  [[nodiscard]] bool run_until(Done done, duration most) {
    for (const auto end = now_ + most; now_ < end; run_for(options_.step))
      if (done())
        return true;
    return done();
  }

  // -- accidents --------------------------------------------------------------------------------

  /// Cuts the line between two nodes, or one direction of it; silently.
  void cut(std::size_t a, std::size_t b);
  void cut_one_way(std::size_t from, std::size_t to);

  /// Cuts all lines between these and the others.
  void split(const std::set<std::size_t>& these);
  void mend_all();
  void set_loss(double loss);

  /// Ends the node's connection to the backplane, and makes it again; it is told.
  void unplug(std::size_t number);
  void plug(std::size_t number);

  /// As SIGSTOP and SIGCONT: nothing of the node runs, what comes for it waits.
  void stop(std::size_t number);
  void go_on(std::size_t number);

  /// Lets the node run once in each `period` only; zero ends that.
  void slow_down(std::size_t number, duration period);

  /// As SIGKILL: it is gone without a word. `restart` starts it anew under its name.
  void crash(std::size_t number);
  void leave(std::size_t number);
  void restart(std::size_t number);

  // -- traffic, which the checker watches --------------------------------------------------------

  void subscribe(std::size_t number, const std::string& topic);
  void unsubscribe(std::size_t number, const std::string& topic);

  /// Publishes a line that nobody else publishes.
  void publish(std::size_t number, const std::string& topic, std::size_t times = 1);

  /// Returns how many lines subscribers have heard, on this node or on all.
  [[nodiscard]] std::uint64_t heard(std::size_t number) const;
  [[nodiscard]] std::uint64_t heard() const;

  // -- agreement --------------------------------------------------------------------------------

  /// Returns where the nodes that run do not agree on who is there and who wants what; empty if they do.
  [[nodiscard]] std::string disagreement();

  /// Returns what was lost and not counted, now that nothing is under way; empty if nothing was.
  [[nodiscard]] std::string uncounted();

  /// Mends everything, waits until all agree, then until every subscriber hears every other node.
  ///
  /// \throws assertion_failed if that takes longer than `most`, or something is lost and not counted
  void settle(duration most = std::chrono::seconds(30));

  /// See `simulated_backplane::digest`.
  [[nodiscard]] std::uint64_t digest() const noexcept { return network_->digest(); }

private:
  class listener;
  struct one;

  void start(std::size_t number);
  void destroy(one& which);
  void step();
  void run(one& which, duration span);
  [[nodiscard]] one& running(std::size_t number) const;
  void note_heard(one& where, std::string_view topic, std::string_view line);
  void complain(std::string what);

  const cluster_fixture_options options_;
  const std::shared_ptr<simulated_backplane> network_;
  manual_runtime rt_;
  time_point now_{};
  std::vector<std::unique_ptr<one>> nodes_;
  std::string complaints_;
};

} // namespace troupe::testing
