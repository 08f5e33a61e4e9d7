// What a terminal sends and is sent: the same keys and the same screen for every split, a cursor that stays on the
// screen, and a line that is never shown wider than its row.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include <troupe/telnet/display_width.hpp>
#include <troupe/telnet/edit_screen.hpp>
#include <troupe/telnet/key_decoder.hpp>
#include <troupe/telnet/terminal_buffer.hpp>

namespace {

// Types what comes as keys, on a screen that says something now and then.
std::string typed(std::string_view bytes, std::size_t step, troupe::window_size size) {
  troupe::edit_screen screen{{.longest_line = 300, .history = 5}};
  troupe::key_decoder keys;
  std::string out, log;
  screen.begin(out, size, true);
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    keys.feed(bytes.substr(at, step), [&](const troupe::key_event& k) {
      log += static_cast<char>('A' + static_cast<int>(k.what));
      troupe::append_utf8(log, k.character);
      auto& editor = screen.editor();
      if (editor.take(k) == troupe::edit_result::line) {
        screen.leave_line(out);
        screen.print(out, editor.take_line() + "\n");
      }
      const auto shown = editor.view(size.columns);
      if (troupe::display_width(std::string_view{shown.text}) > size.columns
          || shown.cursor >= size.columns || editor.text().size() > 300)
        std::abort();
      return true;
    });
  }
  screen.show_line(out);
  troupe::terminal_buffer terminal{size};
  terminal.write_text(out);
  if (terminal.cursor_row() != size.rows - 1U)
    std::abort();
  return log + terminal.text();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2)
    return 0;
  const troupe::window_size window{static_cast<std::uint16_t>(20 + data[0] % 60),
                                   static_cast<std::uint16_t>(4 + data[1] % 8)};
  const auto input = std::string_view{reinterpret_cast<const char*>(data), size}.substr(2);
  const auto bounded = input.substr(0, 2000);
  if (typed(bounded, bounded.size() + 1, window) != typed(bounded, 1 + data[0] % 3, window))
    std::abort();
  troupe::terminal_buffer whole{window}, pieces{window};
  whole.write(input);
  for (const char c : input)
    pieces.write({&c, 1});
  if (whole.text() != pieces.text() || whole.cursor_column() != pieces.cursor_column()
      || whole.cursor_row() >= window.rows || whole.cursor_column() >= window.columns)
    std::abort();
  return 0;
}
