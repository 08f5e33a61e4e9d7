#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
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

  /// Calls `send(writer&)` with the messages that tell what changed after version `from`; returns false,
  /// and calls nothing, if that is not kept any more.
  template <class Send>
  bool tell_changes(std::uint64_t from, const wire::header& h, std::size_t longest,
                    Send send) const;

  /// Calls `send(writer&)` with the messages that tell all.
  template <class Send>
  void tell_all(const wire::header& h, std::size_t longest, Send send) const;

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
  std::unordered_map<std::string, std::string> facts_;
  std::deque<std::string> changes_; // the last one made `version_`
};

template <class Send>
bool own_facts::tell_changes(std::uint64_t from, const wire::header& h, std::size_t longest,
                             Send send) const {
  if (from > version_ || version_ - from > changes_.size())
    return false;
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
    send(out);
  }
  return true;
}

template <class Send>
void own_facts::tell_all(const wire::header& h, std::size_t longest, Send send) const {
  auto next = facts_.begin();
  std::uint32_t part = 0;
  do {
    wire::writer body;
    const auto begin = next;
    for (; next != facts_.end(); ++next) {
      if (next != begin && body.size() + size_of(next->first, &next->second) + 64 > longest)
        break;
      write(body, next->first, &next->second);
    }
    const bool last = next == facts_.end();
    wire::writer out{h};
    wire::write(out, wire::interest{static_cast<std::uint8_t>(wire::interest::whole
                                                              | (last ? wire::interest::last : 0)),
                                    part++, 0, version_});
    out.raw(as_text(body.view()));
    send(out);
  } while (next != facts_.end());
}

} // namespace troupe::detail
