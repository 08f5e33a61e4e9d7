#include <troupe/irc/client.hpp>

#include <algorithm>
#include <utility>

#include <troupe/net/printable.hpp>
#include <troupe/runtime/detail/base64.hpp>

namespace troupe::irc {

void client::begin_registration() {
  std::string out = "CAP LS 302\r\n";
  const auto add = [&out](std::string_view command,
                          std::initializer_list<std::string_view> params) {
    append_line(out, "", command, {params.begin(), params.size()});
  };
  if (!options_.password.empty())
    add("PASS", {options_.password});
  add("NICK", {tried_});
  const auto& user = options_.user.empty() ? options_.nick : options_.user;
  const auto& realname = options_.realname.empty() ? options_.nick : options_.realname;
  line{out, "", "USER"}.param(user).param("0").param("*").trailing(realname).end();
  at_once(out);
}

void client::refused(std::string_view why) {
  quit_with(failure{errc::connection_refused, printable(why)});
}

void client::on_cap(const message& m) {
  const auto verb = m.param(1);
  const auto list = m.last();
  const auto each = [](std::string_view words, auto fn) {
    while (!words.empty()) {
      const auto one = words.substr(0, words.find(' '));
      words.remove_prefix(std::min(words.size(), one.size() + 1));
      if (!one.empty())
        fn(one.substr(0, one.find('=')));
    }
  };
  const bool wants_login = !options_.account.empty() || options_.external;
  if (verb == "LS" && !signed_on_) {
    if (offered_.size() < 8192)
      offered_.append(list).append(" ");
    if (m.size() > 3 && m.param(2) == "*")
      return; // more comes
    std::string wanted;
    bool sasl = false;
    each(std::exchange(offered_, {}), [&](std::string_view one) {
      const bool is_sasl = one == "sasl" && wants_login;
      sasl = sasl || is_sasl;
      if (is_sasl || std::ranges::count(options_.capabilities, one) != 0)
        wanted.append(wanted.empty() ? "" : " ").append(one);
    });
    if (wants_login && !sasl)
      return refused("the server offers no SASL");
    std::string out;
    if (wanted.empty())
      out = "CAP END\r\n";
    else
      line{out, "", "CAP"}.param("REQ").trailing(wanted).end();
    at_once(out);
  } else if (verb == "ACK") {
    each(list, [&](std::string_view one) {
      const bool off = one.starts_with('-');
      const auto name = one.substr(off ? 1 : 0);
      std::erase(capabilities_, name);
      if (!off && capabilities_.size() < 200)
        capabilities_.emplace_back(name);
    });
    if (signed_on_)
      return;
    at_once(!wants_login || logged_in_ ? "CAP END\r\n"
            : options_.external        ? "AUTHENTICATE EXTERNAL\r\n"
                                       : "AUTHENTICATE PLAIN\r\n");
  } else if (verb == "NAK" && !signed_on_) {
    if (wants_login)
      return refused("the server refuses SASL");
    at_once("CAP END\r\n");
  } else if (verb == "DEL") {
    each(list, [&](std::string_view one) { std::erase(capabilities_, one); });
  }
}

void client::on_authenticate() {
  if (signed_on_ || logged_in_)
    return;
  const auto text = detail::to_base64(options_.external ? options_.account
                                                        : options_.account + '\0' + options_.account
                                                            + '\0' + options_.account_password);
  std::string out;
  constexpr std::size_t chunk =
    400; // IRCv3 sasl-3.1; one of exactly that has an empty one behind it
  for (std::size_t at = 0; at < text.size(); at += chunk)
    line{out, "", "AUTHENTICATE"}.param(std::string_view{text}.substr(at, chunk)).end();
  if (text.size() % chunk == 0)
    out += "AUTHENTICATE +\r\n";
  at_once(out);
}

void client::nick_taken() {
  if (++tries_ > nick_tries)
    return signed_on_ ? void() : refused("all nicks that were tried are taken");
  // "_" behind it, and where that is too long, a digit in the place of its end
  if (tried_.size() < features_.nick_length() || !signed_on_)
    tried_ += '_';
  else
    tried_.back() = static_cast<char>('0' + tries_);
  std::string out;
  line{out, "", "NICK"}.param(tried_).end();
  at_once(out);
}

void client::welcomed(const message& m) {
  nick_ = m.param(0).empty() ? tried_ : std::string{m.param(0)};
  tried_ = nick_;
  tries_ = 0;
  signed_on_ = true;
  for (const auto& channel : options_.channels) {
    const auto space = channel.find(' ');
    join(channel.substr(0, space),
         space == std::string::npos ? std::string{} : channel.substr(space + 1));
  }
  if (options_.remember) {
    const auto before = std::exchange(options_.remember->keys, {}); // until it is in them again
    for (const auto& [channel, key] : before)
      if (std::ranges::none_of(options_.channels, [&](const auto& c) {
            return same_name(c.substr(0, c.find(' ')), channel, features_.names());
          }))
        join(channel, key);
  }
  signed_on();
}

} // namespace troupe::irc
