#include <cstdint>
#include <cstdlib>

#include <troupe/basic/socks_message.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace troupe;
  const std::string_view input{reinterpret_cast<const char*>(data), size};
  const auto d = read_socks_datagram(input);
  if (!d)
    return 0;
  if (d->data.size() + 7 > size || input.substr(size - d->data.size()) != d->data)
    std::abort(); // the data is what stands behind the head
  if (d->address.type() == net_address::kind::host_name)
    return 0;
  std::string again;
  append_socks_datagram_head(again, d->address);
  again += d->data;
  const auto same = read_socks_datagram(again);
  if (!same || same->address != d->address || same->data != d->data)
    std::abort();
  return 0;
}
