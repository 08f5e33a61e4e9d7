#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <vector>

#include <troupe/irc/client.hpp>
#include <troupe/runtime/delayed_call.hpp>
#include <troupe/runtime/promise.hpp>

namespace troupe::irc {

struct client::lookups {
  template <class Answer>
  struct asked {
    std::string about; // a nick, a mask; nothing of LIST
    Answer answer;
    promise<Answer> done;
    delayed_call limit;
  };
  template <class Answer>
  using queue = std::deque<asked<Answer>>; // in the order of the questions

  queue<whois_answer> whois;
  queue<std::vector<who_answer>> who;
  queue<std::vector<list_answer>> list;
};

} // namespace troupe::irc
