#include "terminal_session.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include <troupe/net/protocol.hpp>
#include <troupe/telnet/terminal_writer.hpp>

namespace troupe {

namespace {

constexpr std::size_t most_names = 4;
constexpr auto escape_time = std::chrono::milliseconds(50);

void drop_failure(chained<void> d) {
  std::move(d).add_errback([] {});
}

// A client that edits lines by itself says so by its name, or by the third one (Mud Terminal Type Standard).
bool edits_by_itself(const std::vector<std::string>& names) {
  static constexpr std::string_view known[] = {"TINTIN++", "MUDLET",     "TINYFUGUE",
                                               "TF",       "MUSHCLIENT", "ZMUD",
                                               "CMUD",     "BLIGHTMUD",  "KILDCLIENT"};
  return std::any_of(names.begin(), names.end(), [](const std::string& n) {
    const std::string_view first = std::string_view{n}.substr(0, n.find(' '));
    return n.starts_with("MTTS ")
           || std::find(std::begin(known), std::end(known), first) != std::end(known);
  });
}

bool obeys_escapes(const std::string& name) {
  static constexpr std::string_view others[] = {"", "DUMB", "NETWORK", "UNKNOWN", "EMACS", "TTY"};
  return std::find(std::begin(others), std::end(others), name) == std::end(others);
}

} // namespace

telnet_lines_protocol::session::session(telnet_lines_protocol& of)
  : telnet_session(telnet_line_ends::lines), of_(of), screen_(of.options_->lines),
    prompt_(of.options_->prompt) {}

terminal_user* telnet_lines_protocol::session::user() const {
  return dynamic_cast<terminal_user*>(&of_.wrapped_protocol());
}

void telnet_lines_protocol::session::tell_user() {
  if (auto* const u = user())
    u->terminal_changed(of_);
}

// -- what the client is -----------------------------------------------------------------------------

void telnet_lines_protocol::session::ask() {
  if (std::exchange(stage_, stage::asking) != stage::new_)
    return;
  drop_failure(do_(telnet_option::window_size));
  do_(telnet_option::terminal_type).add_errback([this] { decide(); });
  drop_failure(will(telnet_option::charset));
}

bool telnet_lines_protocol::session::agrees(telnet_side side, telnet_option o) {
  switch (o) {
  case telnet_option::suppress_go_ahead:
    return true;
  case telnet_option::window_size:
  case telnet_option::terminal_type:
    return side == telnet_side::remote;
  case telnet_option::echo:
    return side == telnet_side::local && capable_;
  case telnet_option::charset:
    return true;
  default: // NEW-ENVIRON among them: its variables are of no use here, and have harmed others
    return false;
  }
}

void telnet_lines_protocol::session::option_changed(telnet_side side, telnet_option o, bool on) {
  if (side == telnet_side::remote && o == telnet_option::terminal_type && on)
    send_subnegotiation(o, terminal_type_send());
  if (side == telnet_side::local && o == telnet_option::charset && on)
    send_subnegotiation(o, charset_request({"UTF-8"}));
  if (side == telnet_side::local)
    reconsider();
}

void telnet_lines_protocol::session::subnegotiation_received(telnet_option o,
                                                             std::string_view data) {
  if (o == telnet_option::window_size && enabled(telnet_side::remote, o)) {
    const auto got = parse_window_size(data);
    if (!got || *got == size)
      return;
    size = *got;
    resized_ = true;
  } else if (o == telnet_option::terminal_type && enabled(telnet_side::remote, o)) {
    if (auto name = parse_terminal_type(data))
      name_received(std::move(*name));
    else
      decide();
  } else if (o == telnet_option::charset) {
    const auto got = parse_charset(data);
    if (got.what == charset_message::kind::request)
      send_subnegotiation(o, answer_charset(got.names, {"UTF-8", "UTF8"}));
  }
}

// Each time a client is asked, it tells another name, and at the end the last one again.
void telnet_lines_protocol::session::name_received(std::string name) {
  if (stage_ == stage::decided)
    return;
  const bool again = !names_.empty() && names_.back() == name;
  if (!again)
    names_.push_back(std::move(name));
  if (again || names_.size() == most_names)
    decide();
  else
    send_subnegotiation(telnet_option::terminal_type, terminal_type_send());
}

void telnet_lines_protocol::session::decide() {
  if (std::exchange(stage_, stage::decided) == stage::decided)
    return;
  if (!names_.empty())
    terminal = names_.front();
  capable_ = obeys_escapes(terminal) && !edits_by_itself(names_);
  if (!capable_) {
    screen_ = edit_screen{of_.options_->lines}; // nothing will be drawn
    return tell_user();
  }
  drop_failure(do_(telnet_option::suppress_go_ahead));
  drop_failure(will(telnet_option::suppress_go_ahead));
  drop_failure(will(telnet_option::echo));
  reconsider();
}

// A client sends keys as they are pressed if it is not to show them, and needs no "go ahead".
void telnet_lines_protocol::session::reconsider() {
  const bool wanted = capable_ && enabled(telnet_side::local, telnet_option::echo)
                      && enabled(telnet_side::local, telnet_option::suppress_go_ahead);
  if (wanted == editing_)
    return;
  std::string out;
  if (wanted) {
    editing_ = true;
    changed_ = redraw_ = resized_ = false;
    screen_.editor().set_hidden(hidden_);
    screen_.set_prompt(out, prompt_);
    screen_.set_status(out, left_, right_);
    out.clear(); // that was shown on no screen
    screen_.begin(out, size, of_.options_->status_line && size.rows > 0);
  } else {
    screen_.end(out);
  }
  flush(out);
  editing_ = wanted;
  tell_user();
}

// -- what comes ---------------------------------------------------------------------------------------

void telnet_lines_protocol::session::text_received(std::string_view text) {
  if (editing_)
    type(text);
  else
    of_.deliver(text);
}

void telnet_lines_protocol::session::command_received(telnet_command c) {
  if (c == telnet_command::are_you_there) {
    asked_whether_there = true;
    return;
  }
  if (!editing_)
    return;
  std::string out;
  switch (c) {
  case telnet_command::interrupt_process:
  case telnet_command::brk:
    interrupt(out);
    break;
  case telnet_command::erase_character:
    take({.what = key::backspace}, out);
    break;
  case telnet_command::erase_line:
    take({.what = key::character, .character = U'u', .ctrl = true}, out);
    break;
  default:
    return;
  }
  flush(out);
}

void telnet_lines_protocol::session::type(std::string_view bytes) {
  if (escape_.active())
    escape_.cancel();
  std::string out;
  const auto used = keys_.feed(bytes, [&](const key_event& k) {
    take(k, out);
    return editing_ && !of_.inner().disconnecting();
  });
  flush(out);
  if (editing_) {
    if (keys_.pending())
      wait_for_escape();
  } else if (used < bytes.size() && !of_.inner().disconnecting()) {
    of_.deliver(bytes.substr(used));
  }
}

void telnet_lines_protocol::session::wait_for_escape() {
  escape_ = of_.wrapped_protocol().call_later(escape_time, [this] {
    if (!editing_)
      return;
    std::string out;
    keys_.timed_out([&](const key_event& k) {
      take(k, out);
      return editing_;
    });
    flush(out);
    show();
  });
}

void telnet_lines_protocol::session::take(const key_event& k, std::string& out) {
  switch (screen_.editor().take(k)) {
  case edit_result::changed:
    changed_ = true;
    return;
  case edit_result::line:
    return enter(out);
  case edit_result::complete:
    return complete(out);
  case edit_result::interrupt:
    return interrupt(out);
  case edit_result::end_of_input:
    flush(out);
    if (auto* const u = user())
      u->input_ended(of_);
    else
      of_.lose_connection();
    return;
  case edit_result::abandon:
    flush(out);
    return of_.lose_connection();
  case edit_result::redraw:
    redraw_ = true;
    return;
  case edit_result::ring:
    terminal_writer{out}.bell();
    return;
  default:
    return;
  }
}

void telnet_lines_protocol::session::enter(std::string& out) {
  screen_.leave_line(out);
  auto line = screen_.editor().take_line();
  changed_ = true;
  flush(out);
  line += "\r\n";
  of_.deliver(line); // and may do anything
}

void telnet_lines_protocol::session::interrupt(std::string& out) {
  screen_.leave_line(out, "^C");
  screen_.editor().set_text({});
  changed_ = true;
  flush(out);
  if (auto* const u = user())
    u->interrupted(of_);
}

void telnet_lines_protocol::session::complete(std::string& out) {
  auto& editor = screen_.editor();
  auto* const u = user();
  if (u == nullptr || editor.hidden())
    return;
  const auto found = u->complete(editor.text(), editor.cursor());
  if (editor.complete(found)) {
    changed_ = true;
    return;
  }
  if (found.candidates.size() < 2) {
    terminal_writer{out}.bell();
    return;
  }
  std::string all;
  for (const auto& c : found.candidates)
    all.append(all.empty() ? "" : "  ").append(c);
  screen_.print(out, all + "\n");
  flush(out);
}

// -- what is shown --------------------------------------------------------------------------------------

void telnet_lines_protocol::session::flush(std::string& out) {
  if (out.empty())
    return;
  std::string bytes;
  bytes.reserve(out.size() + 16);
  bool after_cr = false;
  append_telnet_text(bytes, std::exchange(out, {}), after_cr, true);
  send_bytes(bytes);
}

void telnet_lines_protocol::session::show() {
  const bool changed = std::exchange(changed_, false), redraw = std::exchange(redraw_, false);
  const bool resized = std::exchange(resized_, false);
  if (editing_) {
    std::string out;
    if (resized)
      screen_.resize(out, size);
    if (redraw)
      screen_.redraw(out);
    else if (changed && !resized)
      screen_.show_line(out);
    flush(out);
  }
  if (resized)
    tell_user();
}

void telnet_lines_protocol::session::print(std::string_view text) {
  std::string out;
  screen_.print(out, text);
  changed_ = false; // it shows the line, too
  flush(out);
}

void telnet_lines_protocol::session::pass(bytes_view data) {
  const auto text = as_text(data);
  if (stage_ == stage::asking || capable_)
    screen_.remember(text);
  if (text.find('\xff') == std::string_view::npos)
    return send_bytes(text);
  std::string escaped;
  append_telnet_escaped(escaped, text);
  send_bytes(escaped);
}

void telnet_lines_protocol::session::set_prompt(std::string_view prompt) {
  prompt_ = prompt;
  if (!editing_)
    return;
  std::string out;
  screen_.set_prompt(out, prompt_);
  flush(out);
}

void telnet_lines_protocol::session::set_status(std::string_view left, std::string_view right) {
  left_ = left;
  right_ = right;
  if (!editing_)
    return;
  std::string out;
  screen_.set_status(out, left_, right_);
  flush(out);
}

void telnet_lines_protocol::session::set_hidden(bool on) {
  if (std::exchange(hidden_, on) == on)
    return;
  if (editing_) {
    std::string out;
    screen_.editor().set_hidden(on);
    screen_.show_line(out);
    flush(out);
  } else {
    drop_failure(on ? will(telnet_option::echo) : wont(telnet_option::echo));
  }
}

void telnet_lines_protocol::session::lost(const failure& why) {
  stage_ = stage::decided;
  capable_ = editing_ = resized_ = false;
  end(why);
}

void telnet_lines_protocol::session::finish() {
  if (!editing_)
    return;
  std::string out;
  screen_.end(out);
  flush(out);
  editing_ = false;
  capable_ = false; // for good
}

} // namespace troupe
