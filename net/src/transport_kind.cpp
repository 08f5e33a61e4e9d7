#include "transport_kind.hpp"

#include "stream_socket.hpp"

namespace troupe::detail {

void tcp_kind::open(event_loop& where, unique_fd fd, const socket_address& peer,
                    const protocol_ptr& p, opened told) const {
  stream_socket* t = nullptr;
  try {
    t = new stream_socket(where, std::move(fd), peer, output_);
  } catch (const std::exception& e) { // the system has no room to watch one more socket
    const failure reason{make_error(errc::connection_aborted, e.what())};
    p->enter([&] { p->quit(reason.to_caf_error()); });
    return told(&reason);
  }
  if (no_delay_)
    t->set_tcp_no_delay(true);
  if (keep_alive_)
    t->set_tcp_keep_alive(true);
  t->open(*p);
  told(nullptr);
}

} // namespace troupe::detail
