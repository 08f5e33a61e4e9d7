#pragma once

#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include <troupe/runtime/runtime.hpp>

// [journal]
/// Writes what it is told, some at a time.
class journal {
public:
  explicit journal(troupe::runtime& rt) : rt_(rt) {}

  void add(std::string line) {
    lines_.push_back(std::move(line));
    if (!flush_.active())
      flush_ = rt_.reactor().call_later(std::chrono::seconds(1), [this] { flush(); });
  }

  void flush() {
    if (!lines_.empty())
      std::printf("%zu lines are written\n", lines_.size());
    lines_.clear();
  }

  ~journal() { std::printf("%zu lines are lost\n", lines_.size()); }

private:
  troupe::runtime& rt_;
  std::vector<std::string> lines_;
  troupe::delayed_call flush_;
};
// [/journal]

// [wrong]
inline void just_use(troupe::runtime& rt, journal& book) {
  rt.reactor().call_when_running([&rt, &book] {
    book.add("one");
    book.add("two");
    rt.stop(); // calls that are pending are not made
  });
}
// [/wrong]

// [right]
inline void use_and_flush(troupe::runtime& rt, journal& book) {
  just_use(rt, book);
  rt.reactor().add_system_event_trigger(troupe::trigger_phase::before,
                                        troupe::system_event::shutdown, [&book] { book.flush(); });
}
// [/right]

inline int run_journal(void (*use)(troupe::runtime&, journal&)) {
  troupe::runtime rt{{.loops = 1}};
  journal book{rt};
  use(rt, book);
  return rt.run().exit_code();
}
