// Other programs: for what they write, and to talk to.

#include <cstdio>
#include <string>
#include <vector>

#include <troupe/net/get_process_output.hpp>
#include <troupe/net/spawn_process.hpp>
#include <troupe/runtime/coroutine.hpp>
#include <troupe/runtime/react.hpp>

using troupe::deferred;

// [output]
deferred<void> output(troupe::runtime& rt) {
  const std::vector<std::string> args{"6", "*", "7"};
  const std::string product = co_await troupe::get_process_output(rt, "expr", args);
  std::printf("expr says %s", product.c_str());

  const std::vector<std::string> greater{"1", "-gt", "2"};
  std::printf("test says %d\n", co_await troupe::get_process_value(rt, "test", greater));

  try {
    co_await troupe::get_process_output(rt, "/no/such/program");
  } catch (const std::exception& e) {
    std::printf("%s\n", e.what());
  }
}
// [/output]

// [protocol]
/// Gives a program its input, and collects what it writes.
class sorter : public troupe::process_protocol {
public:
  sorter(caf::actor_config& cfg, std::shared_ptr<troupe::promise<std::string>> sorted)
    : process_protocol(cfg), sorted_(std::move(sorted)) {}

  void connection_made() override {
    transport().write("pear\napple\nfig\n");
    transport().close_stdin(); // else `sort` waits for more
  }
  void out_received(troupe::bytes_view data) override { text_ += troupe::as_text(data); }
  void process_ended(const troupe::failure& why) override {
    if (why.check(troupe::errc::process_done))
      sorted_->callback(text_);
    else
      sorted_->errback(why);
  }

private:
  std::shared_ptr<troupe::promise<std::string>> sorted_;
  std::string text_;
};

deferred<void> talk(troupe::runtime& rt) {
  auto sorted = std::make_shared<troupe::promise<std::string>>();
  auto result = sorted->get_deferred();
  troupe::spawn_process(rt, troupe::build<sorter>(sorted), "sort");
  std::printf("%s", (co_await std::move(result)).c_str());
}
// [/protocol]

int main(int, char** argv) {
  troupe::runtime rt{{.loops = 1}};
  return argv[1] == std::string{"output"} ? troupe::react(rt, output) : troupe::react(rt, talk);
}
