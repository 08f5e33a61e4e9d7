#include <troupe/telnet/telnet_lines_factory.hpp>

#include <utility>

#include "terminal_session.hpp"

namespace troupe {

void terminal_user::input_ended(telnet_lines_protocol& t) {
  t.lose_connection();
}

// What a client hears that has not shown any terminal.
class telnet_lines_protocol::refusing final : public telnet_events {
public:
  explicit refusing(telnet_lines_protocol& of) noexcept : of_(of) {}

  void text(std::string_view data) override {
    if (of_.session_)
      return to_session().text(data);
    if (!of_.inner().disconnecting())
      of_.deliver(data);
  }
  void command(telnet_command c) override {
    if (of_.session_)
      return to_session().command(c);
    asked_ = asked_ || c == telnet_command::are_you_there;
  }
  void negotiation(telnet_command verb, telnet_option o) override {
    const bool offers = verb == telnet_command::will
                        && (o == telnet_option::window_size || o == telnet_option::terminal_type);
    if (!of_.session_ && offers && of_.options_->editing != telnet_editing::never)
      of_.ask_for_terminal();
    if (of_.session_)
      return to_session().negotiation(verb, o);
    if (verb == telnet_command::do_)
      append_telnet_negotiation(answer_, telnet_command::wont, o);
    else if (verb == telnet_command::will)
      append_telnet_negotiation(answer_, telnet_command::dont, o);
  }
  void subnegotiation(telnet_option o, std::string_view data) override {
    if (of_.session_)
      to_session().subnegotiation(o, data);
  }

  void answer() {
    if (of_.session_)
      of_.session_->show();
    if (of_.session_ && std::exchange(of_.session_->asked_whether_there, false))
      asked_ = true;
    if (asked_ && of_.editing())
      return of_.session_->print("[Yes]\n");
    if (asked_)
      answer_ += "[Yes]\r\n";
    if (!answer_.empty())
      of_.send(answer_);
  }

private:
  [[nodiscard]] telnet_events& to_session() const { return *of_.session_; }

  telnet_lines_protocol& of_;
  std::string answer_;
  bool asked_ = false;
};

telnet_lines_protocol::telnet_lines_protocol(std::shared_ptr<const telnet_lines_options> options)
  : options_(std::move(options)),
    parser_(telnet_line_ends::lines, longest_subnegotiation, longest_subnegotiation) {}

telnet_lines_protocol::~telnet_lines_protocol() = default;

telnet_lines_protocol* telnet_lines_protocol::of(const protocol& p) noexcept {
  for (auto* w = p.wrapper(); w != nullptr; w = w->next())
    if (auto* const found = dynamic_cast<telnet_lines_protocol*>(w))
      return found;
  return nullptr;
}

telnet_lines_protocol::session& telnet_lines_protocol::with_session() {
  if (!session_)
    session_ = std::make_unique<session>(*this);
  return *session_;
}

void telnet_lines_protocol::ask_for_terminal() {
  with_session().ask();
}

bool telnet_lines_protocol::editing() const noexcept {
  return session_ && session_->editing();
}

window_size telnet_lines_protocol::size() const noexcept {
  return session_ ? session_->size : window_size{};
}

const std::string& telnet_lines_protocol::terminal() const noexcept {
  static const std::string none;
  return session_ ? session_->terminal : none;
}

void telnet_lines_protocol::set_prompt(std::string_view prompt) {
  if (session_)
    session_->set_prompt(prompt);
}

void telnet_lines_protocol::set_status(std::string_view left, std::string_view right) {
  if (session_)
    session_->set_status(left, right);
}

void telnet_lines_protocol::set_hidden(bool on) {
  if (session_)
    session_->set_hidden(on);
}

void telnet_lines_protocol::connection_made() {
  if (options_->editing == telnet_editing::at_once)
    ask_for_terminal();
}

void telnet_lines_protocol::data_received(bytes_view data) {
  refusing events{*this};
  parser_.feed(data, events);
  events.answer();
}

void telnet_lines_protocol::connection_lost(const failure& reason) {
  parser_.stop();
  if (session_)
    session_->lost(reason);
}

void telnet_lines_protocol::write(bytes_view data) {
  if (!session_)
    inner().write(data);
  else if (session_->editing())
    session_->print(as_text(data));
  else
    session_->pass(data);
}

void telnet_lines_protocol::write(const shared_bytes& data) {
  if (session_) [[unlikely]]
    return write(data.view());
  protocol_wrapper::write(data); // most users of a room have asked for nothing
}

void telnet_lines_protocol::write_sequence(std::span<const bytes_view> pieces) {
  if (!session_)
    return inner().write_sequence(pieces);
  std::string all;
  for (const auto p : pieces)
    all += as_text(p);
  write(as_bytes(all));
}

void telnet_lines_protocol::lose_connection() {
  finish_screen();
  inner().lose_connection();
}

void telnet_lines_protocol::protocol_ended() {
  finish_screen();
  inner().protocol_ended();
}

void telnet_lines_protocol::finish_screen() {
  if (session_)
    session_->finish();
}

telnet_lines_factory::telnet_lines_factory(caf::actor_config& cfg, factory_ref inner,
                                           telnet_lines_options options)
  : wrapping_factory(cfg, std::move(inner)),
    options_(std::make_shared<const telnet_lines_options>(std::move(options))) {}

std::unique_ptr<protocol_wrapper> telnet_lines_factory::make_wrapper() {
  return std::make_unique<telnet_lines_protocol>(options_);
}

} // namespace troupe
