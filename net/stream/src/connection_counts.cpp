#include "connection_counts.hpp"

#include <map>
#include <mutex>

#include <asio/execution_context.hpp>
#include <asio/io_context.hpp>

namespace troupe::detail {

namespace {

// A factory may put anything into its name; a page of metrics must not grow with it.
constexpr std::size_t most_names = 500;
constexpr const char* other_names = "others";

/// Keeps what is counted on a loop, at its Asio context.
class counts_of_loop final : public asio::execution_context::service {
public:
  using key_type = counts_of_loop; // as Asio wants it
  static inline asio::execution_context::id id;
  explicit counts_of_loop(asio::execution_context& context) : service(context) {}

  std::shared_ptr<connection_counts> find(const std::string& name) {
    const std::lock_guard hold{mutex_};
    const auto found = all_.find(name);
    auto& counts =
      found != all_.end() ? found->second : all_[all_.size() < most_names ? name : other_names];
    if (!counts)
      counts = std::make_shared<connection_counts>();
    return counts;
  }

  std::map<std::string, std::shared_ptr<connection_counts>> all() const {
    const std::lock_guard hold{mutex_};
    return all_;
  }

private:
  void shutdown() override {}

  mutable std::mutex mutex_; // of the map; the counts need none
  std::map<std::string, std::shared_ptr<connection_counts>> all_;
};

} // namespace

void connection_counts::ended(const ended_connection& how) noexcept {
  closed_by[index_of(how.reason)].add();
  if (!how.connected)
    handshakes_failed.add();
  if (how.refused_writes > 0)
    refused_writes.add(how.refused_writes);
  closed.add(); // last: who waits for it reads the others
}

errc connection_counts::code_of(const failure& why) noexcept {
  const auto code = why.code();
  return code.category() == troupe_category() ? static_cast<errc>(code.value()) : errc::foreign;
}

std::size_t connection_counts::index_of(errc code) noexcept {
  const auto index = static_cast<std::size_t>(code);
  return index < std::tuple_size_v<by_reason> ? index : static_cast<std::size_t>(errc::foreign);
}

std::shared_ptr<connection_counts> connection_counts::of(event_loop& loop,
                                                         const std::string& name) {
  return asio::use_service<counts_of_loop>(loop.io()).find(name);
}

void each_connection_counts(
  event_loop& loop, const std::function<void(const std::string&, const connection_counts&)>& fn) {
  for (const auto& [name, counts] : asio::use_service<counts_of_loop>(loop.io()).all())
    fn(name, *counts);
}

} // namespace troupe::detail
