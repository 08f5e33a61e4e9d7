#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <troupe/runtime/delayed_call.hpp>
#include <troupe/telnet/edit_screen.hpp>
#include <troupe/telnet/key_decoder.hpp>
#include <troupe/telnet/session.hpp>
#include <troupe/telnet/telnet_lines_factory.hpp>

namespace troupe {

/// What a client that speaks telnet costs more than one that does not: its options, and its terminal.
///
/// States: asking (for its terminal) -> decided, and then editing or not, as the client likes.
class telnet_lines_protocol::session final : public telnet_session {
public:
  explicit session(telnet_lines_protocol& of);

  /// Asks for the terminal; again does nothing.
  void ask();

  [[nodiscard]] bool editing() const noexcept { return editing_; }

  /// Shows text above the line that is typed. Only while editing.
  void print(std::string_view text);

  /// Shows what the bytes of one read changed, and tells of another size: once, however often it changed, as
  /// one byte may ask for the whole screen.
  void show();

  /// Sends what the protocol wrote, while not editing.
  void pass(bytes_view data);

  void set_prompt(std::string_view prompt);
  void set_status(std::string_view left, std::string_view right);
  void set_hidden(bool on);

  /// The connection is lost: nothing more is asked, told or shown.
  void lost(const failure& why);

  /// Gives the terminal back.
  void finish();

  window_size size;
  std::string terminal; // its name
  bool asked_whether_there = false;

protected:
  void send_bytes(std::string_view bytes) override { of_.send(bytes); }
  void text_received(std::string_view text) override;
  void command_received(telnet_command c) override;
  bool agrees(telnet_side side, telnet_option o) override;
  void option_changed(telnet_side side, telnet_option o, bool on) override;
  void subnegotiation_received(telnet_option o, std::string_view data) override;

private:
  enum class stage : std::uint8_t { new_, asking, decided };

  void name_received(std::string name);
  void decide();
  void reconsider();
  void type(std::string_view bytes);
  void take(const key_event& k, std::string& out);
  void enter(std::string& out);
  void complete(std::string& out);
  void interrupt(std::string& out);
  void flush(std::string& out);
  void wait_for_escape();
  [[nodiscard]] terminal_user* user() const;
  void tell_user();

  telnet_lines_protocol& of_;
  key_decoder keys_;
  edit_screen screen_;
  std::string prompt_, left_, right_;
  std::vector<std::string> names_; // of the terminal
  delayed_call escape_;
  stage stage_ = stage::new_;
  bool capable_ = false; // of being edited on
  bool editing_ = false;
  bool hidden_ = false;
  bool changed_ = false; // the line, and that is not shown
  bool redraw_ = false;  // everything, as was asked for
  bool resized_ = false; // and that is neither shown nor told
};

} // namespace troupe
