#include <troupe/telnet/parser.hpp>

#include <utility>

namespace troupe {

namespace {

constexpr char iac = telnet_byte(telnet_command::iac);
constexpr char se = telnet_byte(telnet_command::se);

// Returns where `a` or `b` is first. Every line of every user comes by here: two searches of the library in
// windows are the fastest, and what one of them sees in vain is a window at most, however often the other finds.
std::size_t find_either(std::string_view in, char a, char b) noexcept {
  constexpr std::size_t window = 512;
  for (std::size_t i = 0; i < in.size(); i += window) {
    auto part = in.substr(i, window);
    const auto at_a = part.find(a);
    part = part.substr(0, at_a);
    if (const auto at_b = part.find(b); at_b != std::string_view::npos)
      return i + at_b;
    if (at_a != std::string_view::npos)
      return i + at_a;
  }
  return std::string_view::npos;
}

} // namespace

void telnet_parser::feed(bytes_view data, telnet_events& to) {
  auto in = as_text(data);
  while (!in.empty()) {
    switch (state_) {
    case state::text:
      in.remove_prefix(take_text(in, to));
      continue;
    case state::command:
      take_command(in.front(), to);
      break;
    case state::verb:
      state_ = state::text;
      to.negotiation(static_cast<telnet_command>(verb_), static_cast<telnet_option>(in.front()));
      break;
    case state::stopped:
      kept_.reset();
      return;
    default:
      take_subnegotiation(in.front(), to);
      break;
    }
    in.remove_prefix(1);
  }
}

// Delivers text up to the next byte that means something, and that byte's meaning. Returns how many bytes
// that was. Whatever is called may change the state, so nothing is looked at behind it.
std::size_t telnet_parser::take_text(std::string_view in, telnet_events& to) {
  if (held_cr_) {
    held_cr_ = false;
    const char next = in.front();
    if (ends_ == telnet_line_ends::nvt && (next == '\n' || next == '\0')) {
      to.text(next == '\n' ? "\n" : "\r");
      return 1;
    }
    after_cr_ = ends_ == telnet_line_ends::lines;
    to.text("\r");
    return 0;
  }
  const auto found = [&] {
    switch (ends_) {
    case telnet_line_ends::nvt:
      return find_either(in, iac, '\r');
    case telnet_line_ends::lines:
      return find_either(in, iac, '\0');
    default:
      return in.find(iac);
    }
  }();
  const auto run = in.substr(0, found);
  const auto cr = run.empty() ? after_cr_ : run.back() == '\r';
  after_cr_ = ends_ == telnet_line_ends::lines && cr;
  if (!run.empty()) {
    to.text(run);
    return run.size();
  }
  const char c = in.front();
  if (c == iac) {
    state_ = state::command;
  } else if (c == '\r') {
    held_cr_ = true;
  } else { // NUL, where lines are wanted
    const bool end = std::exchange(after_cr_, false);
    to.text(end ? std::string_view{"\n"} : std::string_view{"\0", 1});
  }
  return 1;
}

void telnet_parser::take_command(char c, telnet_events& to) {
  state_ = state::text;
  switch (static_cast<telnet_command>(c)) {
  case telnet_command::iac:
    after_cr_ = false;
    return to.text(std::string_view{&iac, 1});
  case telnet_command::will:
  case telnet_command::wont:
  case telnet_command::do_:
  case telnet_command::dont:
    verb_ = c;
    state_ = state::verb;
    return;
  case telnet_command::sb:
    size_ = 0;
    verb_ = 0;
    state_ = state::sb;
    return;
  case telnet_command::se: // the end of what did not begin
    return;
  default:
    if (static_cast<std::uint8_t>(c) >= static_cast<std::uint8_t>(telnet_command::end_of_file))
      to.command(static_cast<telnet_command>(c));
  }
}

void telnet_parser::take_subnegotiation(char c, telnet_events& to) {
  switch (state_) {
  case state::sb:
    if (c == iac) {
      state_ = state::sb_iac;
      return;
    }
    verb_ = c;
    state_ = state::sb_text;
    return;
  case state::sb_iac: // instead of an option, or the option 255
    if (c == iac) {
      verb_ = c;
      state_ = state::sb_text;
    } else {
      take_command(c, to);
    }
    return;
  case state::sb_text:
    if (c == iac)
      state_ = state::sb_text_iac;
    else
      keep(c);
    break;
  default: // sb_text_iac
    if (c == se)
      return end_subnegotiation(true, to);
    if (c != iac) { // its end is missing: what is meant is the command
      end_subnegotiation(false, to);
      if (state_ != state::stopped)
        take_command(c, to);
      return;
    }
    state_ = state::sb_text;
    keep(c);
    break;
  }
  if (size_ >= patience_)
    end_subnegotiation(false, to);
}

void telnet_parser::keep(char c) {
  if (++size_ > longest_)
    return kept_.reset();
  if (!kept_)
    kept_ = std::make_unique<std::string>();
  *kept_ += c;
}

void telnet_parser::end_subnegotiation(bool well, telnet_events& to) {
  state_ = state::text;
  const auto kept = std::move(kept_);
  const auto option = static_cast<telnet_option>(verb_);
  if (well && size_ <= longest_)
    to.subnegotiation(option, kept ? std::string_view{*kept} : std::string_view{});
  else
    to.bad_subnegotiation(option);
}

} // namespace troupe
