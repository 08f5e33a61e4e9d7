// A topic whose messages are kept: who comes back gets what it missed, once and in order, or is told that there is more.

#include <cstdio>
#include <memory>
#include <string>

#include <troupe/history/kept_topics.hpp>
#include <troupe/history/memory_history.hpp>
#include <troupe/testing/manual_runtime.hpp>

// [reader]
/// Knows where it stands, and goes on from there.
class reader : public troupe::pinned_actor {
public:
  reader(caf::actor_config& cfg, troupe::kept_topic room)
    : pinned_actor(cfg), room_(std::move(room)) {}
  caf::behavior make_behavior() override {
    return {[](caf::unit_t) {
    }};
  }

  void come() {
    room_
      .resume(this, at_, 100,
              [this](const troupe::kept_message& message) {
                std::printf("ann reads: %s\n", std::string{message.bytes.text()}.c_str());
                at_ = message.at;
              })
      .add_callback([this](const troupe::resumed& r) {
        std::printf("%zu missed%s\n", r.replayed, r.complete ? "" : ", and older ones are gone");
        at_ = r.at;
      });
  }
  void go() { room_.leave(*this); }

  void say(const std::string& text) {
    room_.append(*this, text).add_errback([](const troupe::failure& why) {
      std::printf("this is not kept: %s\n", why.message().c_str());
    });
  }

private:
  const troupe::kept_topic room_;
  troupe::history_position at_; // no place: it begins with what comes next
};
// [/reader]

int main() {
  // [main]
  troupe::testing::manual_runtime rt;
  const auto store = std::make_shared<troupe::memory_history>(
    troupe::memory_history_options{.per_topic = 3}); // it forgets what is older
  const troupe::kept_topics rooms{rt, store, {.ring_messages = 1}};
  const auto ann = rt.spawn_on<reader>(0, rooms.get("lobby"));
  const auto bob = rt.spawn_on<reader>(0, rooms.get("lobby"));
  const auto does = [&rt](const caf::actor& who, auto what) {
    auto& self = *static_cast<reader*>(caf::actor_cast<caf::abstract_actor*>(who));
    rt.in_turn([&] { self.enter([&] { what(self); }); });
    rt.settle();
  };

  does(ann, [](reader& r) { r.come(); });
  does(bob, [](reader& r) { r.say("one"); });
  does(ann, [](reader& r) { r.go(); });
  for (const char* text : {"two", "three"})
    does(bob, [text](reader& r) { r.say(text); });
  does(ann, [](reader& r) { r.come(); });

  does(ann, [](reader& r) { r.go(); });
  for (const char* text : {"four", "five", "six", "seven"})
    does(bob, [text](reader& r) { r.say(text); });
  does(ann, [](reader& r) { r.come(); });
  // [/main]
}
