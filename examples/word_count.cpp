// Lets another program do the work: pipes a text through `wc`.
//
//   $ build/release/examples/word_count
//   7 words
//
// Without a `wc` it says so, and fails with status 1.

#include <cstdio>
#include <functional>
#include <string>

#include <troupe/net/spawn_process.hpp>

class word_count : public troupe::process_protocol {
public:
  word_count(caf::actor_config& cfg, troupe::runtime& rt) : process_protocol(cfg), rt_(rt) {}

  void connection_made() override {
    transport().write("Two lines are enough,\nif they break.\n");
    transport().close_stdin();
  }

  void out_received(troupe::bytes_view data) override { count_ += troupe::as_text(data); }

  void process_ended(const troupe::failure& why) override {
    if (why.check(troupe::errc::process_done)) {
      std::printf("%d words\n", std::stoi(count_));
      rt_.stop();
    } else { // it is missing, was killed, or has an exit code: troupe::status_of(why)
      std::fprintf(stderr, "word_count: %s\n", why.message().c_str());
      rt_.give_up(why); // run() returns it
    }
  }

private:
  troupe::runtime& rt_;
  std::string count_;
};

int main() {
  troupe::runtime rt{{.loops = 1}};
  troupe::spawn_process(rt, troupe::build<word_count>(std::ref(rt)), "wc", {"-w"});
  return rt.run().exit_code();
}
