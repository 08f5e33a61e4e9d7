#include "irc_load.hpp"

#include <algorithm>
#include <cstdlib>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <poll.h>

#include "load_parts.hpp"

namespace bench {

namespace {

void send_all(const connection& c, std::string_view text) {
  if (c.send_some(text.data(), text.size()) != text.size())
    fail("what was sent did not fit the socket");
}

std::string nick_of(std::size_t user) {
  return "u" + std::to_string(user);
}

// Reads what comes, and hands out its lines.
class reader {
public:
  template <class F>
  void take(const connection& c, F&& line_received) {
    if (buffer().empty())
      buffer().resize(256 * 1024);
    input_.append(buffer().data(), c.receive(buffer().data(), buffer().size()));
    std::size_t start = 0;
    for (std::size_t end; (end = input_.find("\r\n", start)) != std::string::npos; start = end + 2)
      line_received(std::string_view{input_}.substr(start, end - start));
    input_.erase(0, start);
  }
  [[nodiscard]] bool empty() const noexcept { return input_.empty(); }

  // Waits until a line has the word.
  void until(const connection& c, std::string_view word) {
    for (bool found = false; !found;) {
      pollfd p{.fd = c.fd(), .events = POLLIN, .revents = 0};
      if (::poll(&p, 1, patience_ms) <= 0)
        fail("no" + std::string{word});
      take(c, [&](std::string_view line) { found |= line.find(word) != std::string_view::npos; });
    }
  }

private:
  static std::vector<char>& buffer() {
    static std::vector<char> all;
    return all;
  }
  std::string input_;
};

// Begins to register. Some servers look once a second at who wants to, so many have to do it at once.
void begin(const connection& c, std::size_t user, const std::string& capabilities) {
  const auto nick = nick_of(user);
  if (!capabilities.empty())
    send_all(c, "CAP REQ :" + capabilities + "\r\n");
  send_all(c, "NICK " + nick + "\r\nUSER " + nick + " 0 * :" + nick + "\r\n");
  if (!capabilities.empty())
    send_all(c, "CAP END\r\n");
}

constexpr std::size_t at_once = 500; // who register
constexpr std::size_t together =
  50; // who join: some servers keep a small answer back until the one before is acknowledged

} // namespace

figures run_irc(const server& s, const irc_load& load) {
  const auto& talk = load.talk;
  struct user {
    connection c;
    reader in{};
    std::vector<std::uint64_t> next; // from each sender, the number of the line that comes next
    std::uint64_t missing = 0;       // lines of this round
    bool all_there = false;
  };
  std::vector<user> users;
  poller p;
  const std::string channel = "#lobby";
  const auto last = ":" + nick_of(talk.users - 1) + "!";
  const auto hear = [&](user& u) {
    u.in.take(u.c, [&](std::string_view line) {
      if (line.find(last) != std::string_view::npos
          && line.find(" JOIN ") != std::string_view::npos)
        u.all_there = true;
    });
  };
  for (std::size_t i = 0; i < talk.users;) {
    if (i == users.size()) {
      for (auto j = i; j < std::min(i + at_once, talk.users); ++j) {
        users.push_back({.c = connection{s}, .next = std::vector<std::uint64_t>(talk.senders)});
        begin(users.back().c, j, load.capabilities);
      }
      for (auto j = i; j < users.size(); ++j)
        users[j].in.until(users[j].c, " 001 ");
    }
    // The last one joins alone: whoever has seen that has seen all.
    const auto end =
      i + 1 == talk.users ? talk.users : std::min({i + together, users.size(), talk.users - 1});
    for (auto j = i; j < end; ++j)
      send_all(users[j].c, "JOIN " + channel + "\r\n");
    for (; i < end; ++i)
      users[i].in.until(users[i].c, " 366 ");
    for (auto& u : users)
      hear(u);
  }
  users.back().all_there = true;
  for (std::size_t i = 0; i < users.size(); ++i) {
    while (!users[i].all_there) {
      pollfd one{.fd = users[i].c.fd(), .events = POLLIN, .revents = 0};
      if (::poll(&one, 1, patience_ms) <= 0)
        fail("not all have come");
      hear(users[i]);
    }
    p.add(users[i].c.fd(), i);
  }
  const auto text_of = [](std::size_t sender, std::uint64_t number) {
    auto text = std::to_string(number) + " from " + std::to_string(sender) + ' ';
    text.resize(62, static_cast<char>('a' + number % 26));
    return text;
  };
  std::uint64_t delivered = 0;
  std::uint64_t missing = 0;
  const auto middle = " PRIVMSG " + channel + " :";
  const bool tags = load.capabilities.find("server-time") != std::string::npos;
  const auto take = [&](std::size_t i) {
    auto& u = users[i];
    u.in.take(u.c, [&](std::string_view line) {
      if (tags) {
        if (!line.starts_with("@time="))
          fail("a line without its time");
        line.remove_prefix(line.find(' ') + 1);
      }
      const auto at = line.find(middle);
      if (!line.starts_with(":u") || at == std::string_view::npos)
        fail("another line came: " + std::string{line});
      const auto sender = static_cast<std::size_t>(std::atoi(line.data() + 2));
      if (sender >= talk.senders || sender == i)
        fail("a line from nobody");
      if (line.substr(at + middle.size()) != text_of(sender, u.next[sender]))
        fail("a line was lost, doubled, reordered or damaged");
      ++u.next[sender];
      if (u.missing == 0)
        fail("a line too many");
      --u.missing;
      --missing;
      ++delivered;
    });
  };
  std::uint64_t number = 0;
  const auto round = [&] {
    for (std::size_t i = 0; i < users.size(); ++i) {
      users[i].missing = (talk.senders - (i < talk.senders ? 1 : 0)) * talk.lines;
      missing += users[i].missing;
    }
    for (std::size_t sender = 0; sender < talk.senders; ++sender) {
      std::string burst;
      for (std::size_t k = 0; k < talk.lines; ++k)
        burst += "PRIVMSG " + channel + " :" + text_of(sender, number + k) + "\r\n";
      send_all(users[sender].c, burst);
    }
    number += talk.lines;
    while (missing > 0)
      p.wait(take);
  };
  const auto until = [&](std::chrono::milliseconds time) {
    for (const auto end = clock::now() + time; clock::now() < end;)
      round();
  };
  until(talk.warm_up);
  meter m{s};
  m.begin(delivered);
  until(talk.time);
  const auto result = m.end(delivered);
  if (std::ranges::any_of(users, [](const user& u) { return !u.in.empty(); }))
    fail("a line too many has begun");
  return result;
}

double run_idle_irc(const server& s, std::size_t count) {
  constexpr std::size_t in_a_channel = 100;
  const auto settle = [] {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
  };
  settle();
  const auto before = s.resident();
  std::vector<connection> all;
  all.reserve(count);
  std::vector<reader> readers;
  for (std::size_t i = 0; i < count; ++i) {
    if (i == all.size()) {
      for (auto j = i; j < std::min(i + at_once, count); ++j) {
        all.emplace_back(s);
        begin(all.back(), j, {});
      }
      readers.clear();
      readers.resize(all.size() - i);
      for (auto j = i; j < all.size(); ++j)
        readers[j - i].until(all[j], " 001 ");
    }
    send_all(all[i], "JOIN #room" + std::to_string(i / in_a_channel) + "\r\n");
    readers[i % at_once].until(all[i], " 366 ");
  }
  settle();
  return (static_cast<double>(s.resident()) - static_cast<double>(before))
         / static_cast<double>(count);
}

} // namespace bench
