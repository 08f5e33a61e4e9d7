#include "client_lookups.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include <troupe/irc/client.hpp>
#include <troupe/net/printable.hpp>

namespace troupe::irc {

namespace {

constexpr auto longest_lookup = std::chrono::seconds{30};
constexpr std::size_t most_lookups = 100;       // of one kind
constexpr std::size_t most_looked_up = 100'000; // lines of an answer

std::size_t number_in(std::string_view text) noexcept {
  std::size_t n = 0;
  std::from_chars(text.data(), text.data() + text.size(), n);
  return n;
}

// Ends a question; whoever asked may ask again in its callback.
template <class Queue>
void finish(Queue& all, typename Queue::iterator at, const failure* why = nullptr) {
  auto ended = std::move(*at);
  all.erase(at);
  if (ended.limit.active())
    ended.limit.cancel();
  if (ended.done.called()) // it was called off
    return;
  if (why != nullptr)
    ended.done.errback(*why);
  else
    ended.done.callback(std::move(ended.answer));
}

template <class Queue>
void end_all(Queue& all, const failure& why) {
  while (!all.empty())
    finish(all, all.begin(), &why);
}

} // namespace

client::lookups& client::with_lookups() {
  if (!lookups_)
    lookups_ = std::make_shared<lookups>();
  return *lookups_;
}

template <class Queue, class Answer>
deferred<Answer> client::look_up(Queue lookups::*kind, std::string about, Answer begun,
                                 std::string_view command) {
  auto& all = with_lookups().*kind;
  if (!connected() || !signed_on_)
    return fail<Answer>(errc::not_connected);
  const bool sent = about.empty() ? all.size() < most_lookups && send_message(command, {})
                                  : all.size() < most_lookups && send_message(command, {about});
  if (!sent)
    return fail<Answer>(errc::queue_overflow);
  promise<Answer> done;
  auto result = done.get_deferred();
  // A limit ends the oldest of its kind: all have the same time.
  auto limit = call_later(longest_lookup, [this, kind] {
    const failure late{errc::timed_out, "the server does not answer"};
    auto& waiting = with_lookups().*kind;
    finish(waiting, waiting.begin(), &late);
  });
  all.push_back({std::move(about), std::move(begun), std::move(done), std::move(limit)});
  return result;
}

deferred<whois_answer> client::whois(std::string_view nick) {
  return look_up(&lookups::whois, std::string{nick}, whois_answer{.nick = std::string{nick}},
                 "WHOIS");
}

deferred<std::vector<who_answer>> client::who(std::string_view mask) {
  return look_up(&lookups::who, std::string{mask}, std::vector<who_answer>{}, "WHO");
}

deferred<std::vector<list_answer>> client::list(std::string_view channels) {
  return look_up(&lookups::list, std::string{channels}, std::vector<list_answer>{}, "LIST");
}

void client::end_lookups(const failure& why) {
  if (const auto all = std::exchange(lookups_, nullptr)) {
    end_all(all->whois, why);
    end_all(all->who, why);
    end_all(all->list, why);
  }
}

void client::take_lookup(unsigned number, const message& m) {
  if (!lookups_)
    return;
  const auto keep = lookups_; // a callback may ask, and may end the connection
  const auto about = [&](auto& all) {
    return std::ranges::find_if(
      all, [&](const auto& a) { return same_name(a.about, m.param(1), features_.names()); });
  };
  take_whois(number, m);
  auto& who = keep->who;
  auto& list = keep->list;
  const failure refused{errc::invalid_argument, printable(m.last())};
  switch (number) {
  case 352: // <channel> <user> <host> <server> <nick> <flags> :<hops> <realname>
    if (!who.empty() && who.front().answer.size() < most_looked_up) {
      const auto last = m.last();
      who.front().answer.push_back(
        {std::string{m.param(1)}, std::string{m.param(5)}, std::string{m.param(2)},
         std::string{m.param(3)}, std::string{m.param(4)}, std::string{m.param(6)},
         std::string{last.substr(std::min(last.size(), last.find(' ') + 1))}});
    }
    return;
  case 315:
    if (const auto at = about(who); at != who.end())
      finish(who, at);
    return;
  case 322:
    if (!list.empty() && list.front().answer.size() < most_looked_up)
      list.front().answer.push_back(
        {std::string{m.param(1)}, number_in(m.param(2)), std::string{m.param(3)}});
    return;
  case 323:
    if (!list.empty())
      finish(list, list.begin());
    return;
  case 263: // try again
  case 416: // too many matches
  case 421: // unknown command
  case 461: // not enough parameters
    if (m.param(1) == "WHO" && !who.empty())
      finish(who, who.begin(), &refused);
    else if (m.param(1) == "LIST" && !list.empty())
      finish(list, list.begin(), &refused);
    else if (m.param(1) == "WHOIS" && !keep->whois.empty())
      finish(keep->whois, keep->whois.begin(), &refused);
    return;
  case 403: // no such channel
    if (const auto at = about(who); at != who.end())
      finish(who, at, &refused);
    return;
  default:
    return;
  }
}

void client::take_whois(unsigned number, const message& m) {
  auto& all = lookups_->whois;
  const auto at = std::ranges::find_if(
    all, [&](const auto& a) { return same_name(a.about, m.param(1), features_.names()); });
  if (at == all.end())
    return;
  auto& a = at->answer;
  switch (number) {
  case 301:
    a.away = m.last();
    return;
  case 311: // <nick> <user> <host> * :<realname>
    a.nick = m.param(1);
    a.user = m.param(2);
    a.host = m.param(3);
    a.realname = m.last();
    return;
  case 312:
    a.server = m.param(2);
    return;
  case 313:
    a.server_operator = true;
    return;
  case 317:
    a.silent = std::chrono::seconds{number_in(m.param(2))};
    return;
  case 319:
    for (auto rest = m.last(); !rest.empty();) {
      const auto one = rest.substr(0, rest.find(' '));
      rest.remove_prefix(std::min(rest.size(), one.size() + 1));
      if (!one.empty() && a.channels.size() < most_looked_up)
        a.channels.emplace_back(one);
    }
    return;
  case 330:
    a.account = m.param(2);
    return;
  case 318:
    return finish(all, at);
  case 401: // no such nick
  case 402: {
    const failure refused{errc::invalid_argument, printable(m.last())};
    return finish(all, at, &refused);
  }
  default:
    return;
  }
}

} // namespace troupe::irc
