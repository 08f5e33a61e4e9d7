#include "tls_kind.hpp"

#include "stream_socket.hpp"
#include "tls_layer.hpp"

namespace troupe::detail {

void tls_kind::open(event_loop& where, unique_fd fd, const connection_ends& ends,
                    const protocol_ptr& p, opened told) const {
  if (auto* const t = make(where, std::move(fd), ends, p, told))
    tls_layer::open(*t, p, settings_, host_, destination_, std::move(told));
}

} // namespace troupe::detail
