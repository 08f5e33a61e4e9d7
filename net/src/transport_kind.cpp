#include "transport_kind.hpp"

#include "stream_socket.hpp"

namespace troupe::detail {

stream_socket* tcp_kind::make(event_loop& where, unique_fd fd, const socket_address& peer,
                              const protocol_ptr& p, opened& told) const {
  stream_socket* t = nullptr;
  try {
    t = new stream_socket(where, std::move(fd), peer, output_);
  } catch (const std::exception& e) { // the system has no room to watch one more socket
    const failure reason{make_error(errc::connection_aborted, e.what())};
    p->enter([&] { p->quit(reason.to_caf_error()); });
    told(&reason);
    return nullptr;
  }
  if (no_delay_)
    t->set_tcp_no_delay(true);
  if (keep_alive_)
    t->set_tcp_keep_alive(true);
  return t;
}

void tcp_kind::open(event_loop& where, unique_fd fd, const socket_address& peer,
                    const protocol_ptr& p, opened told) const {
  if (auto* const t = make(where, std::move(fd), peer, p, told)) {
    t->open(*p);
    told(nullptr);
  }
}

} // namespace troupe::detail
