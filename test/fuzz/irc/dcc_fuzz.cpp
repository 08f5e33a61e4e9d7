// What a stranger asks for, and what he calls a file.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <stdexcept>
#include <string_view>

#include <troupe/irc/dcc_request.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace troupe::irc;
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  const auto name = dcc_file_name(text);
  if (name.size() > 200 || name.starts_with('.') || name.starts_with('-')
      || name.find_first_of("/\\\r\n\x1b") != std::string::npos)
    std::abort();
  if (dcc_file_name(name) != name)
    std::abort();
  const auto got = parse_dcc(text);
  if (!got.request)
    return 0;
  (void)dcc_refusal(*got.request);
  try { // what can be written is read as the same
    const auto again = parse_dcc(*to_ctcp(*got.request).data);
    if (!again.request || again.request->kind != got.request->kind
        || again.request->port != got.request->port || again.request->size != got.request->size
        || again.request->file != got.request->file || again.request->token != got.request->token
        || again.request->position != got.request->position)
      std::abort();
  } catch (const std::invalid_argument&) {
  }
  return 0;
}
