#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <iterator>
#include <map>
#include <string>
#include <string_view>
#include <unordered_set>

#include "wire.hpp"

namespace troupe::detail {

/// What a node says of itself to all others: keys with values, written by it alone. Changes are numbered; a
/// reader that has missed some asks for those from its version on, or for everything.
///
/// What is told of a key is its value at that time, not how it came there: what comes and goes between
/// two tellings is not told at all.
/// Thread: one.
class own_facts {
public:
  static constexpr std::size_t kept_changes = 16 * 1024;

  void set(const std::string& key, std::string value);
  void remove(const std::string& key);

  [[nodiscard]] std::uint64_t version() const noexcept { return version_; }
  [[nodiscard]] std::size_t size() const noexcept { return facts_.size(); }

  /// Tells whether it is known what changed after version `from`.
  [[nodiscard]] bool keeps(std::uint64_t from) const noexcept {
    return from <= version_ && version_ - from <= changes_.size();
  }

  /// Calls `send(writer&)` with the messages that tell what changed after version `from`, which must be kept, until it
  /// returns false. Returns the version that they tell.
  template <class Send>
  [[nodiscard]] std::uint64_t tell_changes(std::uint64_t from, const wire::header& h,
                                           std::size_t longest, Send send) const;

  /// Calls `send(writer&)` with the next part of all, which has what is there now; `to` is over after the last one.
  template <class Send>
  void tell_part(wire::whole_told& to, const wire::header& h, std::size_t longest, Send send) const;

private:
  void note(const std::string& key);
  static void write(wire::writer& out, const std::string& key, const std::string* value) {
    out.u8(value != nullptr ? 1 : 0).text(key);
    if (value != nullptr)
      out.varint(value->size()).raw(*value);
  }
  static std::size_t size_of(const std::string& key, const std::string* value) noexcept {
    return key.size() + (value != nullptr ? value->size() : 0) + 12;
  }

  std::uint64_t version_ = 0;
  std::map<std::string, std::string> facts_; // in the order in which all is told
  std::deque<std::string> changes_;          // the last one made `version_`
};

template <class Send>
std::uint64_t own_facts::tell_changes(std::uint64_t from, const wire::header& h,
                                      std::size_t longest, Send send) const {
  auto next = changes_.end() - static_cast<std::ptrdiff_t>(version_ - from);
  std::unordered_set<std::string_view> told;
  while (next != changes_.end()) {
    wire::writer out;
    const auto begin = next;
    wire::writer changed;
    for (; next != changes_.end(); ++next) {
      if (told.count(*next) != 0)
        continue;
      const auto found = facts_.find(*next);
      const auto* const value = found == facts_.end() ? nullptr : &found->second;
      if (next != begin && changed.size() + size_of(*next, value) + 64 > longest)
        break;
      told.insert(*next);
      write(changed, *next, value);
    }
    const auto to = from + static_cast<std::uint64_t>(next - begin);
    out.begin(h);
    wire::write(out, wire::interest{0, 0, from, to});
    out.raw(as_text(changed.view()));
    from = to;
    if (!send(out))
      break;
  }
  return from;
}

template <class Send>
void own_facts::tell_part(wire::whole_told& to, const wire::header& h, std::size_t longest,
                          Send send) const {
  const auto begin = to.part == 0 ? facts_.begin() : facts_.upper_bound(to.last);
  auto next = begin;
  wire::writer body;
  for (; next != facts_.end(); ++next) {
    if (next != begin && body.size() + size_of(next->first, &next->second) + 64 > longest)
      break;
    write(body, next->first, &next->second);
  }
  const auto last = next == facts_.end() ? wire::interest::last : 0;
  wire::writer out{h};
  wire::write(out, wire::interest{static_cast<std::uint8_t>(wire::interest::whole | last),
                                  to.part++, 0, to.version});
  out.raw(as_text(body.view()));
  if (next == facts_.end())
    to.begun = false;
  else
    to.last = std::prev(next)->first;
  send(out);
}

} // namespace troupe::detail
