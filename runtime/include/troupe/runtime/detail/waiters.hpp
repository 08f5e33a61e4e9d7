#pragma once

#include <cstddef>
#include <list>
#include <optional>
#include <utility>

#include <troupe/runtime/deferred.hpp>

namespace troupe::detail {

/// Promises that wait in line; one that is cancelled leaves the line.
template <class T>
class waiters {
public:
  waiters() = default;
  waiters(const waiters&) = delete;
  waiters& operator=(const waiters&) = delete;
  ~waiters() {
    while (!empty())
      [[maybe_unused]] const auto gone = pop(); // one by one: what this calls may cancel others
  }

  deferred<T> wait() {
    const auto place = line_.emplace(line_.end());
    place->emplace([this, place] { line_.erase(place); });
    return (*place)->get_deferred();
  }

  /// Returns the first one that somebody waits for, and lets those go before it whose deferreds were
  /// dropped; or nothing.
  std::optional<promise<T>> next() {
    while (!empty()) {
      auto first = pop();
      if (first.awaited())
        return first;
    }
    return std::nullopt;
  }

  /// Returns the first one, which must be there.
  promise<T> pop() {
    auto first = *std::move(line_.front());
    line_.pop_front();
    return first;
  }

  std::size_t size() const noexcept { return line_.size(); }
  bool empty() const noexcept { return line_.empty(); }

private:
  std::list<std::optional<promise<T>>> line_;
};

} // namespace troupe::detail
