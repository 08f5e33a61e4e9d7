#include <troupe/net/datagram_port.hpp>

#include <optional>
#include <stdexcept>

#include <caf/logger.hpp>
#include <caf/send.hpp>
#include <spdlog/logger.h>

#include <troupe/runtime/loop_scheduler.hpp>
#include <troupe/runtime/runtime.hpp>

#include "datagram_binding.hpp"
#include "datagram_socket.hpp"

namespace troupe {

namespace detail {

namespace {

// Takes the protocol for one port. It is given back when that has stopped.
void claim(datagram_binding& b) {
  if (b.in_use.exchange(true))
    throw std::logic_error("this datagram_protocol listens at a port already");
  if (b.actor && b.ended()) {
    b.in_use = false;
    throw std::logic_error("this datagram_protocol has ended");
  }
}

void begin(const std::shared_ptr<datagram_binding>& b, const datagram_place& place,
           listening_socket opened) {
  auto& p = b->protocol();
  bool begun = false;
  if (!place.loop->stopping())
    p.enter([&] {
      const auto socket = place.adopt(*place.loop, std::move(opened));
      begun = true;
      datagram_binding::keep(p, b);
      place.loop->scheduler().logger().info("{} starting on {}", p.log_prefix(),
                                            place.host.to_string());
      socket->open(p);
    });
  if (!begun)
    b->in_use = false;
}

void begin_on_loop(const std::shared_ptr<datagram_binding>& b,
                   const std::shared_ptr<const datagram_place>& place, listening_socket opened) {
  if (place->loop->is_current())
    return begin(b, *place, std::move(opened));
  place->loop->post(
    [b, place, opened = std::move(opened)]() mutable { begin(b, *place, std::move(opened)); });
}

} // namespace

datagram_binding::~datagram_binding() {
  if (actor && !ended())
    caf::anon_send_exit(actor, caf::exit_reason::user_shutdown);
}

bool datagram_binding::ended() const noexcept {
  return caf::actor_cast<caf::abstract_actor*>(actor)->getf(
    caf::abstract_actor::is_cleaned_up_flag);
}

datagram_port datagram_place::listen(runtime& rt, std::size_t loop,
                                     const datagram_protocol_ref& protocol, listening_opener open,
                                     maker adopt) {
  rt.scheduler().expect_any_loop("listen", "use call_from_thread");
  const auto& b = protocol.binding();
  auto place = std::make_shared<datagram_place>();
  place->loop = b->actor ? &b->protocol().loop() : &rt.scheduler().loop(loop);
  place->open = std::move(open);
  place->adopt = std::move(adopt);
  claim(*b);
  std::optional<listening_socket> opened;
  try {
    opened = place->open(nullptr);
    place->host = opened->host;
    if (!b->actor)
      b->actor = b->start(rt.system(), *place->loop);
    CAF_SET_LOGGER_SYS(nullptr); // left behind by CAF's spawn, it would slow every actor down
  } catch (...) {
    b->in_use = false;
    throw;
  }
  begin_on_loop(b, place, *std::move(opened));
  datagram_port handle;
  handle.binding_ = b;
  handle.place_ = std::move(place);
  return handle;
}

} // namespace detail

namespace {

template <class T>
T& named(const std::shared_ptr<T>& part) {
  if (!part)
    throw std::logic_error("this datagram_port names no port");
  return *part;
}

// Stops on the loop of the port; `done` hears of it there.
void stop_there(const detail::datagram_binding& b, std::shared_ptr<promise<void>> done,
                event_loop* answer_to) {
  auto& p = b.protocol();
  (p.listening() ? p.transport().stop_listening() : p.when_stopped())
    .add_both([done, answer_to](outcome<void> result) {
      if (answer_to == nullptr)
        return done->fire(std::move(result));
      answer_to->post(
        [done, result = std::move(result)]() mutable { done->fire(std::move(result)); });
    });
}

} // namespace

const net_address& datagram_port::get_host() const {
  return named(place_).host;
}

chained<void> datagram_port::stop_listening() {
  auto& b = named(binding_);
  auto& loop = *place_->loop;
  loop.scheduler().expect_any_loop("stop_listening", "use call_from_thread");
  if (!b.in_use)
    return chained<void>(succeed());
  if (loop.is_current() && b.protocol().listening())
    return b.protocol().transport().stop_listening();
  // It is elsewhere, or about to begin: then this comes behind.
  auto done = std::make_shared<promise<void>>();
  auto result = chained<void>(done->get_deferred());
  auto* const here = event_loop::current();
  auto& first = loop.scheduler().loop(0); // before run() there is no current loop
  auto* const answer_to = here == &loop ? nullptr : here != nullptr ? here : &first;
  loop.post([b = binding_, done = std::move(done),
             answer_to = answer_to == &loop ? nullptr : answer_to]() mutable {
    stop_there(*b, std::move(done), answer_to);
  });
  return result;
}

void datagram_port::start_listening() {
  auto& b = named(binding_);
  place_->loop->scheduler().expect_any_loop("start_listening", "use call_from_thread");
  detail::claim(b);
  std::optional<detail::listening_socket> opened;
  try {
    opened = place_->open(&place_->host);
  } catch (...) {
    b.in_use = false;
    throw;
  }
  detail::begin_on_loop(binding_, place_, *std::move(opened));
}

caf::actor datagram_port::actor() const {
  return caf::actor_cast<caf::actor>(named(binding_).actor);
}

} // namespace troupe
