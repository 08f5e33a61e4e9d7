// Actors that compute: each counts the primes of its share by division, a piece for each message.

#include "benchmarks.hpp"

namespace scaling {
namespace {

constexpr std::int64_t actors = 64;
constexpr std::int64_t piece = 500; // numbers tested for a message

bool is_prime(std::int64_t n) {
  if (n < 2)
    return false;
  for (std::int64_t d = 2; d * d <= n; ++d)
    if (n % d == 0)
      return false;
  return true;
}

/// Takes every 64th piece, so that all have as much to do.
class searcher : public troupe::floating_actor {
public:
  searcher(caf::actor_config& cfg, caf::actor result, std::int64_t number, std::int64_t limit)
    : floating_actor(cfg), result_(std::move(result)), next_(number * piece), limit_(limit) {}
  caf::behavior make_behavior() override {
    return {[this](go_atom) {
      for (auto n = next_; n < std::min(next_ + piece, limit_); ++n)
        found_ += is_prime(n);
      next_ += actors * piece;
      if (next_ < limit_)
        send(caf::actor{this}, go_atom::value);
      else
        send(result_, found_);
    }};
  }

private:
  caf::actor result_;
  std::int64_t next_;
  std::int64_t limit_;
  std::int64_t found_ = 0;
};

/// Counts them by another way, the sieve of Eratosthenes.
std::int64_t primes_below(std::int64_t limit) {
  std::vector<bool> composite(static_cast<std::size_t>(limit), false);
  std::int64_t count = 0;
  for (std::int64_t n = 2; n < limit; ++n) {
    if (composite[static_cast<std::size_t>(n)])
      continue;
    ++count;
    for (auto m = n * n; m < limit; m += n)
      composite[static_cast<std::size_t>(m)] = true;
  }
  return count;
}

} // namespace

plan start_cpu(trial& t, std::int64_t limit) {
  static std::int64_t known_limit = -1;
  static std::int64_t known = 0;
  if (known_limit != limit) {
    known = primes_below(limit);
    known_limit = limit;
  }
  t.restart_clock();
  const auto result = t.rt().spawn<collector>(std::ref(t), actors);
  for (std::int64_t i = 0; i < actors; ++i)
    caf::anon_send(t.rt().spawn<searcher>(result, i, limit), go_atom::value);
  return {limit, known};
}

} // namespace scaling
