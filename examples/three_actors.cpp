// A request travels through three actors and back: a front desk asks a translator, which asks a
// dictionary. Written twice: with callbacks, and as coroutines.
//
//   $ build/release/examples/three_actors

#include <cstdio>
#include <map>
#include <string>

#include <troupe/actors/ask.hpp>
#include <troupe/actors/handlers.hpp>
#include <troupe/runtime/coroutine.hpp>
#include <troupe/runtime/floating_actor.hpp>
#include <troupe/runtime/react.hpp>

using namespace std::chrono_literals;
using troupe::ask;
using troupe::deferred;
using look_up_atom = caf::atom_constant<caf::atom("look_up")>;
using translate_atom = caf::atom_constant<caf::atom("translate")>;

class dictionary : public troupe::floating_actor {
public:
  using floating_actor::floating_actor;
  caf::behavior make_behavior() override { return troupe::handlers(*this, &dictionary::look_up); }

private:
  deferred<std::string> look_up(look_up_atom, const std::string& word) {
    const auto found = words_.find(word);
    if (found == words_.end())
      return troupe::fail<std::string>({troupe::errc::invalid_argument, "no word for " + word});
    return troupe::succeed(found->second);
  }
  const std::map<std::string, std::string> words_{{"good", "bon"}, {"day", "jour"}};
};

class translator_with_callbacks : public troupe::floating_actor {
public:
  translator_with_callbacks(caf::actor_config& cfg, caf::actor words)
    : floating_actor(cfg), words_(std::move(words)) {}
  caf::behavior make_behavior() override {
    return troupe::handlers(*this, &translator_with_callbacks::translate);
  }

private:
  deferred<std::string> translate(translate_atom, const std::string& a, const std::string& b) {
    return look_up(a).add_callback([this, b](const std::string& first) {
      return look_up(b).add_callback([first](const std::string& second) { return first + second; });
    });
  }
  deferred<std::string> look_up(const std::string& word) {
    return ask<std::string>(*this, words_, 5s, look_up_atom::value, word);
  }
  const caf::actor words_;
};

class translator_as_coroutine : public troupe::floating_actor {
public:
  translator_as_coroutine(caf::actor_config& cfg, caf::actor words)
    : floating_actor(cfg), words_(std::move(words)) {}
  caf::behavior make_behavior() override {
    return troupe::handlers(*this, &translator_as_coroutine::translate);
  }

private:
  // By value: the message is gone when the coroutine goes on.
  deferred<std::string> translate(translate_atom, std::string a, std::string b) {
    const auto first = co_await ask<std::string>(*this, words_, 5s, look_up_atom::value, a);
    const auto second = co_await ask<std::string>(*this, words_, 5s, look_up_atom::value, b);
    co_return first + second;
  }
  const caf::actor words_;
};

deferred<void> front_desk(troupe::runtime& rt, caf::actor translator, std::string name) {
  const auto translated =
    co_await ask<std::string>(rt, translator, 5s, translate_atom::value, "good", "day");
  std::printf("%s: %s\n", name.c_str(), translated.c_str());
  try {
    co_await ask<std::string>(rt, translator, 5s, translate_atom::value, "good", "night");
  } catch (const std::exception& e) { // the dictionary's failure, through both actors
    std::printf("%s: %s\n", name.c_str(), e.what());
  }
}

int main() {
  troupe::runtime rt;
  return troupe::react(rt, [](troupe::runtime& r) {
    const auto words = r.spawn<dictionary>();
    return front_desk(r, r.spawn<translator_with_callbacks>(words), "with callbacks")
      .add_callback([&r, words] {
        return front_desk(r, r.spawn<translator_as_coroutine>(words), "as a coroutine");
      });
  });
}
