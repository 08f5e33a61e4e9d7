// Many requests over one connection, each with its own answer, time-out and end: a client of a dictionary that
// answers when it has looked a word up, in whatever order. The server is in the same program.
//
//   $ build/release/examples/request_client

#include <charconv>
#include <cstdio>
#include <map>
#include <string>

#include <troupe/net/endpoint_string.hpp>
#include <troupe/net/line_receiver.hpp>
#include <troupe/net/listen_tcp.hpp>
#include <troupe/net/request_client.hpp>
#include <troupe/runtime/coroutine.hpp>
#include <troupe/runtime/react.hpp>

using namespace std::chrono_literals;
using troupe::deferred;

/// On the wire: "7 hello" asks, "7 bonjour" answers, "7 !no such word" refuses.
struct dictionary_codec {
  using request = std::string;
  using response = std::string;

  void encode(std::string& out, std::uint64_t id, const std::string& word) {
    out += std::to_string(id) + ' ' + word + "\r\n";
  }

  std::optional<troupe::request_answer<std::string>> decode(std::string_view& in) {
    const auto end = in.find("\r\n");
    if (end == std::string_view::npos)
      return std::nullopt; // the rest is on its way
    const auto line = in.substr(0, end);
    in.remove_prefix(end + 2);
    std::uint64_t id = 0;
    const auto space = line.find(' ');
    if (space == std::string_view::npos
        || std::from_chars(line.data(), line.data() + space, id).ec != std::errc{})
      throw std::system_error(make_error_code(troupe::errc::malformed_input));
    const std::string text{line.substr(space + 1)};
    if (text.starts_with('!'))
      return {{id, troupe::failure{troupe::errc::invalid_argument, text.substr(1)}}};
    return {{id, text}};
  }
};

/// Answers short words sooner than long ones, and "silence" never.
class dictionary : public troupe::line_receiver {
public:
  using line_receiver::line_receiver;
  void line_received(std::string_view line) override {
    const std::string id{line.substr(0, line.find(' '))};
    const std::string word{line.substr(id.size() + 1)};
    if (word == "silence")
      return;
    const auto found = words_.find(word);
    const auto answer = id + ' ' + (found != words_.end() ? found->second : "!no such word");
    call_later(word.size() * 20ms, [this, answer] { send_line(answer); });
  }

private:
  const std::map<std::string, std::string> words_{{"day", "jour"}, {"goodbye", "au revoir"}};
};

using client = troupe::request_client<dictionary_codec>;

deferred<void> look_up(client& french, std::string word) {
  try {
    const auto translated = co_await french.request(word, 2s);
    std::printf("%s: %s\n", word.c_str(), translated.c_str());
  } catch (const troupe::timeout_error&) {
    std::printf("%s: no answer\n", word.c_str());
  } catch (const std::exception& e) {
    std::printf("%s: %s\n", word.c_str(), e.what());
  }
}

deferred<void> look_up_all(client& french) {
  (void)french.start_service();
  auto last = look_up(french, "silence");
  auto second = look_up(french, "goodbye"); // all are under way at once
  auto first = look_up(french, "day");
  co_await std::move(first);
  co_await std::move(second);
  co_await look_up(french, "nonsense");
  co_await std::move(last);
  co_await french.stop_service();
}

int main() {
  troupe::runtime rt;
  const auto port =
    troupe::listen_tcp(rt, 0, troupe::factory::for_protocol<dictionary>()).get_host().port();
  client french{rt, troupe::client_from_string(rt, "tcp:127.0.0.1:" + std::to_string(port))};
  return troupe::react(rt, [&](troupe::runtime&) { return look_up_all(french); });
}
