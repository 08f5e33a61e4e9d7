// What one publishes, and many get.

#include <cstdio>
#include <string>

#include <troupe/actors/topics.hpp>
#include <troupe/runtime/floating_actor.hpp>
#include <troupe/testing/manual_runtime.hpp>

// [reader]
class reader : public troupe::floating_actor {
public:
  reader(caf::actor_config& cfg, std::string name) : floating_actor(cfg), name_(std::move(name)) {}

  caf::behavior make_behavior() override {
    return {[this](const troupe::published& what) {
      std::printf("%s reads: %s\n", name_.c_str(), std::string{what.bytes.text()}.c_str());
    }};
  }

private:
  const std::string name_;
};
// [/reader]

int main() {
  troupe::testing::manual_runtime rt;
  // [topic]
  const troupe::topics rooms{rt};
  const auto ann = rt.spawn<reader>("ann");
  const auto bob = rt.spawn<reader>("bob");

  auto lobby = rooms.get("lobby"); // begins to exist here
  lobby.subscribe(ann);
  lobby.subscribe(bob);
  lobby.publish("good morning");
  lobby.publish("this is for others", troupe::except{ann});
  std::printf("%zu rooms, %zu in the lobby\n", rooms.size(), lobby.subscribers());
  // [/topic]
  rt.settle();
}
