#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <queue>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <troupe/cluster/backplane.hpp>
#include <troupe/runtime/time.hpp>

namespace troupe::testing {

/// A backplane whose time and faults a test has in its hands. Its random numbers come from a seed, so
/// that the same calls make the same run.
///
/// It keeps what backplanes promise: messages of one node to another arrive in order and at most once.
/// All else may go wrong. `cluster_fixture` drives one.
///
/// Thread: one, of a runtime that is turned by hand.
class simulated_backplane final : public backplane {
public:
  struct conditions {
    duration least_latency = std::chrono::milliseconds(1);
    duration most_latency = std::chrono::milliseconds(5);
    double loss = 0; ///< of each message: 0 none, 1 all
  };

  explicit simulated_backplane(std::uint64_t seed);
  simulated_backplane(std::uint64_t seed, conditions at_first);
  ~simulated_backplane() override;

  [[nodiscard]] std::unique_ptr<backplane_link> attach(const backplane_site& site,
                                                       backplane_events& events) override;
  [[nodiscard]] std::string name() const override { return "simulated"; }

  /// Moves the time to `now` and hands out what is due. Inside a turn.
  void advance_to(time_point now);

  // -- faults -----------------------------------------------------------------------------------

  void set_conditions(conditions now) { conditions_ = now; }
  [[nodiscard]] const conditions& present_conditions() const noexcept { return conditions_; }

  /// Loses what `from` sends to `to`, without a word to either; what is on its way arrives.
  void cut(const std::string& from, const std::string& to) { cuts_.emplace(from, to); }
  void mend(const std::string& from, const std::string& to) { cuts_.erase({from, to}); }
  void mend_all() { cuts_.clear(); }

  /// Ends the node's own connection to the backplane, of which it is told; and makes it again.
  void unplug(const std::string& node);
  void plug(const std::string& node);

  /// Keeps what comes for the node until `release`, as the sockets of a stopped process do.
  void hold(const std::string& node);
  void release(const std::string& node);

  /// Loses all that the node sends from now on, as at the end of its process.
  void kill(const std::string& node);

  // -- what went on -----------------------------------------------------------------------------

  [[nodiscard]] std::uint64_t delivered() const noexcept { return delivered_; }
  [[nodiscard]] std::uint64_t lost() const noexcept { return lost_; }

  /// A number that two runs share if, and hardly unless, they delivered the same messages in the same
  /// order at the same times.
  [[nodiscard]] std::uint64_t digest() const noexcept { return digest_; }

private:
  struct site;
  class link;

  struct delivery {
    time_point at;
    std::uint64_t sequence;
    std::shared_ptr<site> to;
    std::string from; // empty: the link is up, or down if there is a text
    shared_bytes message;
    friend bool operator>(const delivery& a, const delivery& b) noexcept {
      return std::pair{a.at, a.sequence} > std::pair{b.at, b.sequence};
    }
  };

  void send(site& from, const std::shared_ptr<site>& to, bytes_view message, shared_bytes& copy);
  void schedule(const std::shared_ptr<site>& to, std::string from, shared_bytes message,
                time_point at);
  void hand_out(const delivery& what);
  void note(std::string_view what) noexcept;
  template <class F>
  void each(const std::string& node, F fn);
  duration latency();

  std::mt19937_64 random_;
  conditions conditions_;
  time_point now_{};
  std::uint64_t next_sequence_ = 0;
  std::uint64_t next_site_ = 1;
  std::vector<std::shared_ptr<site>> sites_;
  std::priority_queue<delivery, std::vector<delivery>, std::greater<>> under_way_;
  std::map<std::pair<std::uint64_t, std::uint64_t>, time_point> latest_; // of each pair of sites
  std::set<std::pair<std::string, std::string>> cuts_;
  std::uint64_t delivered_ = 0;
  std::uint64_t lost_ = 0;
  std::uint64_t digest_ = 14695981039346656037u; // FNV-1a
};

} // namespace troupe::testing
