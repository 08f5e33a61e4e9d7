#include "transport_kind.hpp"

#include "stream_socket.hpp"
#include "unix_socket.hpp"

namespace troupe::detail {

namespace {

// Makes the transport; or returns null, and has ended `p` and told why.
template <class Socket>
Socket* make_socket(event_loop& where, unique_fd fd, const connection_ends& ends,
                    const output_limits& output, const protocol_ptr& p,
                    transport_kind::opened& told) {
  try {
    return new Socket(where, std::move(fd), ends, output);
  } catch (const std::exception& e) { // the system has no room to watch one more socket
    const failure reason{make_error(errc::connection_aborted, e.what())};
    p->enter([&] { p->quit(reason.to_caf_error()); });
    told(&reason);
    return nullptr;
  }
}

} // namespace

stream_socket* tcp_kind::make(event_loop& where, unique_fd fd, const connection_ends& ends,
                              const protocol_ptr& p, opened& told) const {
  auto* const t = make_socket<stream_socket>(where, std::move(fd), ends, output_, p, told);
  if (t == nullptr)
    return nullptr;
  if (no_delay_)
    t->set_tcp_no_delay(true);
  if (keep_alive_)
    t->set_tcp_keep_alive(true);
  return t;
}

void tcp_kind::open(event_loop& where, unique_fd fd, const connection_ends& ends,
                    const protocol_ptr& p, opened told) const {
  if (auto* const t = make(where, std::move(fd), ends, p, told)) {
    t->open(*p);
    told(nullptr);
  }
}

void unix_kind::open(event_loop& where, unique_fd fd, const connection_ends& ends,
                     const protocol_ptr& p, opened told) const {
  if (auto* const t = make_socket<unix_socket>(where, std::move(fd), ends, output_, p, told)) {
    t->open(*p);
    told(nullptr);
  }
}

} // namespace troupe::detail
