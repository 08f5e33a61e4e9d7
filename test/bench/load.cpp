#include "load.hpp"

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include <poll.h>

#include "load_parts.hpp"

namespace bench {

figures run_echo(const server& s, const echo_load& load) {
  const lines text{load.frame};
  struct state {
    connection c;
    std::uint64_t allowed; // how far it may send
    std::uint64_t sent = 0;
    std::uint64_t received = 0;
    bool blocked = false;
  };
  std::vector<state> all;
  poller p;
  const auto window = load.bytes * load.in_flight;
  for (std::size_t i = 0; i < load.connections; ++i) {
    all.push_back({connection{s, load.tls}, window});
    p.add(all.back().c.fd(), i);
  }
  const auto push = [&](std::size_t i) {
    auto& st = all[i];
    while (st.sent < st.allowed) {
      auto size = static_cast<std::size_t>(st.allowed - st.sent);
      const auto* data = text.at(i, st.sent, size);
      const auto n = st.c.send_some(data, size);
      st.sent += n;
      if (n < size) {
        if (!std::exchange(st.blocked, true))
          p.want_output(st.c.fd(), i, true);
        return;
      }
    }
    if (std::exchange(st.blocked, false))
      p.want_output(st.c.fd(), i, false);
  };
  std::uint64_t bytes_done = 0;
  bool last_window = false;
  std::vector<char> buffer(256 * 1024);
  const auto take = [&](std::size_t i) {
    auto& st = all[i];
    const auto n = st.c.receive(buffer.data(), buffer.size());
    for (std::size_t seen = 0; seen < n;) {
      auto size = n - seen;
      const auto* expected = text.at(i, st.received, size);
      if (std::memcmp(buffer.data() + seen, expected, size) != 0)
        fail("the echo differs from what was sent");
      seen += size;
      st.received += size;
    }
    bytes_done += n;
    if (st.received > st.sent)
      fail("more came back than was sent");
    // A burst is answered by a burst: a new window when the last one is back whole, or message by
    // message if several are in flight.
    const auto whole = st.received / load.bytes * load.bytes;
    if (!last_window)
      st.allowed = whole + window;
    push(i);
  };
  for (std::size_t i = 0; i < all.size(); ++i)
    push(i);
  const auto operation = load.operation != 0 ? load.operation : load.bytes;
  const auto until = [&](std::chrono::milliseconds time) {
    for (const auto end = clock::now() + time; clock::now() < end;)
      p.wait(take);
  };
  until(load.warm_up);
  meter m{s};
  m.begin(bytes_done / operation);
  until(load.time);
  const auto result = m.end(bytes_done / operation);
  last_window = true;
  while (std::any_of(all.begin(), all.end(), [](auto& st) { return st.received < st.allowed; }))
    p.wait(take);
  for (const auto& st : all)
    st.c.finish();
  return result;
}

figures run_chat(const server& s, const chat_load& load) {
  struct user {
    connection c;
    std::string input;
    std::vector<std::uint64_t> next; // from each sender, the number of the line that comes next
    std::uint64_t missing = 0;       // lines of this round
  };
  std::vector<user> users;
  poller p;
  for (std::size_t i = 0; i < load.users; ++i) {
    users.push_back({connection{s}, {}, std::vector<std::uint64_t>(load.senders)});
    auto& c = users.back().c;
    if (c.line() != "What's your name?\r\n")
      fail("wrong greeting");
    const auto name = "u" + std::to_string(i);
    c.send_some((name + "\r\n").c_str(), name.size() + 2);
    if (c.line() != "Welcome, " + name + "!\r\n")
      fail("not welcome");
    p.add(c.fd(), i);
  }
  const auto text_of = [](std::size_t sender, std::uint64_t number) {
    auto text = std::to_string(number) + " from " + std::to_string(sender) + ' ';
    text.resize(62, static_cast<char>('a' + number % 26));
    return text;
  };
  std::uint64_t delivered = 0;
  std::uint64_t missing = 0;
  std::vector<char> buffer(256 * 1024);
  const auto take = [&](std::size_t i) {
    auto& u = users[i];
    u.input.append(buffer.data(), u.c.receive(buffer.data(), buffer.size()));
    std::size_t start = 0;
    for (std::size_t end; (end = u.input.find("\r\n", start)) != std::string::npos;
         start = end + 2) {
      const auto line = std::string_view{u.input}.substr(start, end - start);
      if (!line.starts_with("<u"))
        fail("a line without a name");
      const auto sender = static_cast<std::size_t>(std::atoi(line.data() + 2));
      if (sender >= load.senders || sender == i)
        fail("a line from nobody");
      const auto expected = "<u" + std::to_string(sender) + "> " + text_of(sender, u.next[sender]);
      if (line != expected)
        fail("a line was lost, doubled, reordered or damaged");
      ++u.next[sender];
      if (u.missing == 0)
        fail("a line too many");
      --u.missing;
      --missing;
      ++delivered;
    }
    u.input.erase(0, start);
  };
  std::uint64_t number = 0;
  const auto round = [&] {
    for (std::size_t i = 0; i < users.size(); ++i) {
      users[i].missing = (load.senders - (i < load.senders ? 1 : 0)) * load.lines;
      missing += users[i].missing;
    }
    for (std::size_t sender = 0; sender < load.senders; ++sender) {
      std::string burst;
      for (std::size_t k = 0; k < load.lines; ++k)
        burst += text_of(sender, number + k) + "\r\n";
      if (users[sender].c.send_some(burst.data(), burst.size()) != burst.size())
        fail("a burst did not fit the socket");
    }
    number += load.lines;
    while (missing > 0)
      p.wait(take);
  };
  const auto until = [&](std::chrono::milliseconds time) {
    for (const auto end = clock::now() + time; clock::now() < end;)
      round();
  };
  until(load.warm_up);
  meter m{s};
  m.begin(delivered);
  until(load.time);
  const auto result = m.end(delivered);
  for (const auto& u : users) {
    if (!u.input.empty())
      fail("a line too many has begun");
    u.c.finish();
  }
  return result;
}

idle_figures run_idle(const server& s, std::size_t count, bool chat, std::chrono::seconds time,
                      bool tls) {
  const auto settle = [] {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
  };
  settle();
  const auto before = s.resident();
  std::vector<connection> all;
  all.reserve(count);
  char buffer[64] = {};
  for (std::size_t i = 0; i < count; ++i) {
    all.emplace_back(s, tls);
    if (tls) {
      all.back().send_some(buffer, sizeof buffer);
      for (std::size_t got = 0; got < sizeof buffer;) {
        pollfd p{.fd = all.back().fd(), .events = POLLIN, .revents = 0};
        if (::poll(&p, 1, patience_ms) <= 0)
          fail("no echo");
        got += all.back().receive(buffer, sizeof buffer - got);
      }
    } else if (chat) {
      all.back().line();
      const auto name = "user" + std::to_string(i) + "\r\n";
      all.back().send_some(name.data(), name.size());
      all.back().line();
    } else {
      all.back().send_some(buffer, sizeof buffer);
      if (::recv(all.back().fd(), buffer, sizeof buffer, MSG_WAITALL) != sizeof buffer)
        fail("no echo");
    }
  }
  settle();
  idle_figures result;
  result.bytes =
    (static_cast<double>(s.resident()) - static_cast<double>(before)) / static_cast<double>(count);
  const auto switches = s.context_switches();
  std::this_thread::sleep_for(time);
  result.switches = s.context_switches() - switches;
  return result;
}

} // namespace bench
