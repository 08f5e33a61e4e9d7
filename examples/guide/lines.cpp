// Lines, whatever pieces the network cuts them into; and bytes in between.

#include <cstdio>
#include <cstdlib>
#include <string>

#include <troupe/net/line_receiver.hpp>
#include <troupe/net/text_line_receiver.hpp>
#include <troupe/testing/protocol_fixture.hpp>

using troupe::testing::protocol_fixture;

// [shout]
class shout : public troupe::text_line_receiver {
public:
  explicit shout(caf::actor_config& cfg) : text_line_receiver(cfg) { set_max_length(20); }

  void line_received(std::string_view line) override { send_line(std::string{line} + "!"); }
  void line_too_long() override { send_line("Line too long."); }
};
// [/shout]

// [upload]
/// Takes "PUT 5", then five bytes, then commands again.
class upload : public troupe::line_receiver {
public:
  using line_receiver::line_receiver;

  void line_received(std::string_view line) override {
    if (!line.starts_with("PUT "))
      return send_line("What?");
    left_ = std::strtoul(std::string{line.substr(4)}.c_str(), nullptr, 10);
    if (left_ == 0 || left_ > 1'000'000) // never believe a length
      return send_line("How many?");
    set_raw_mode();
  }

  void raw_data_received(troupe::bytes_view data) override {
    const auto mine = data.first(std::min(left_, data.size()));
    left_ -= mine.size();
    body_ += troupe::as_text(mine);
    if (left_ > 0)
      return;
    send_line("Got \"" + body_ + "\"");
    body_.clear();
    set_line_mode(data.subspan(mine.size())); // what came behind is lines again
  }

private:
  std::size_t left_ = 0;
  std::string body_;
};
// [/upload]

void print(const std::string& text) {
  std::fputs(text.c_str(), stdout);
}

int main(int argc, char**) {
  if (argc > 1) {
    // [raw]
    protocol_fixture<upload> t;
    t.deliver_in_pieces("PUT 5\r\nab\r\ncPUT 2\r\nxyGET\r\n", 4);
    print(t.transport.value());
    // [/raw]
    return 0;
  }
  // [pieces]
  protocol_fixture<shout> t;
  t.deliver("one\r\ntw"); // a line and a half
  t.deliver("o\nthr");    // LF alone ends a line, too
  t.deliver_in_pieces("ee\r\n", 1);
  t.deliver(std::string(100, 'x') + "\r\nafter\r\n");
  print(t.transport.value());
  // [/pieces]
}
