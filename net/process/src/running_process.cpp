#include "running_process.hpp"

#include <array>
#include <stdexcept>

#include <troupe/runtime/detail/uncaught.hpp>

#include "fd_io.hpp"

namespace troupe::detail {

namespace {

constexpr std::size_t pieces_per_call = 64;

constexpr const char* to_its_protocol = "use the child_process, or send the protocol a message";

} // namespace

running_process::channel::channel(event_loop& loop, chunk_pool& pool, child_pipe p)
  : fd(p.fd), we_write(p.we_write), end(loop.io()), out(pool) {
  end.assign(p.end.get());
  static_cast<void>(p.end.release());
}

running_process::running_process(event_loop& loop, started_child child, const output_limits& limits)
  : loop_(loop), memory_(asio::use_service<loop_memory>(loop.io())), limits_(limits),
    pid_(child.pid) {
  for (auto& p : child.pipes) {
    const int fd = p.fd;
    channels_.emplace(fd, std::make_shared<channel>(loop, memory_.chunks, std::move(p)));
  }
}

running_process::~running_process() = default;

void running_process::watch(unique_fd pidfd, bool own_group) {
  watch_ = child_watch::start(
    loop_, std::move(pidfd),
    [self = shared_from_this()](const process_status& status) {
      self->exit_ = to_failure(status);
      if (self->protocol_ != nullptr)
        self->protocol_->exited(self->exit_);
      self->end_if_over();
    },
    own_group ? pid_ : 0);
}

void running_process::open(process_protocol& p) {
  alive_ = shared_from_this();
  protocol_ = &p;
  p.make_connection(*this);
  const auto channels = channels_; // what is called may close some
  for (const auto& [fd, c] : channels) {
    if (!c || !c->open)
      continue;
    if (c->we_write)
      wait_broken(c);
    else
      wait_readable(c);
  }
  if (!p.connected()) // it had ended before
    protocol_ended();
}

running_process::channel_ptr running_process::find(int fd) const {
  const auto found = channels_.find(fd);
  return found != channels_.end() ? found->second : nullptr;
}

// -- output ---------------------------------------------------------------------------------------

void running_process::write_if_open(int fd, bytes_view data) {
  loop_.expect_here("write", to_its_protocol);
  if (const auto c = find(fd); c && c->we_write)
    append(c, data);
}

void running_process::write_to_child(int fd, bytes_view data) {
  loop_.expect_here("write_to_child", to_its_protocol);
  const auto found = channels_.find(fd);
  if (found == channels_.end() || (found->second && !found->second->we_write))
    throw std::logic_error("write_to_child: the child has no pipe to read from as descriptor "
                           + std::to_string(fd));
  if (found->second)
    append(found->second, data);
}

void running_process::append(const channel_ptr& c, bytes_view data) {
  if (data.empty() || !c->open)
    return;
  if (c->out.size() >= limits_.hard) {
    if (limits_.policy == overflow_policy::drop)
      return;
    c->out.clear();
    c->closing = true;
    if (c->fd == 0)
      stop_producer();
    return mark_dirty();
  }
  c->out.append(data);
  mark_dirty();
  if (c->fd == 0 && producer_ != nullptr && streaming_ && !producer_paused_
      && c->out.size() > limits_.high) {
    producer_paused_ = true;
    producer_->pause_producing();
  }
}

void running_process::mark_dirty() {
  if (self_)
    return;
  self_ = shared_from_this();
  loop_.at_end_of_turn(*this);
}

void running_process::turn_ended() noexcept {
  const auto self = std::exchange(self_, nullptr);
  const auto channels = channels_;
  for (const auto& [fd, c] : channels) {
    if (!c || !c->open)
      continue;
    if (!c->we_write) {
      if (c->closing)
        lost(c);
    } else if (!c->waiting) {
      flush(c);
    } else if (c->out.empty()) {
      drained(c); // over the limit while it waited
    }
  }
  end_if_over();
}

void running_process::flush(const channel_ptr& c) {
  std::array<iovec, pieces_per_call> pieces;
  while (!c->out.empty()) {
    const auto used = c->out.gather(pieces);
    std::size_t offered = 0;
    for (std::size_t i = 0; i < used; ++i)
      offered += pieces[i].iov_len;
    std::error_code ec;
    const auto sent = write_some(c->end.native_handle(), {pieces.data(), used}, ec);
    if (ec)
      return lost(c);
    c->out.consume(sent);
    if (sent < offered) {
      wait_writable(c);
      break;
    }
  }
  drained(c);
}

// Called whenever output has been sent: does what waited for that.
void running_process::drained(const channel_ptr& c) {
  if (c->fd == 0 && producer_ != nullptr) {
    const bool wanted =
      streaming_ ? producer_paused_ && c->out.size() <= limits_.low : c->out.empty();
    if (wanted && protocol_ != nullptr) {
      producer_paused_ = false; // before the call, which may fill the output again
      protocol_->enter(
        [this] { in_callback("resume_producing", [this] { producer_->resume_producing(); }); });
    }
  }
  if (c->open && c->closing && c->out.empty() && (c->fd != 0 || producer_ == nullptr))
    lost(c);
}

void running_process::wait_writable(const channel_ptr& c) {
  c->waiting = true;
  c->end.async_wait(asio::posix::descriptor_base::wait_write,
                    c->waits.with([self = shared_from_this(), c](const asio::error_code&) {
                      c->waiting = false;
                      if (!c->open)
                        return;
                      self->flush(c);
                      self->end_if_over();
                    }));
}

// Nothing but the end of its readers is an error of a pipe.
void running_process::wait_broken(const channel_ptr& c) {
  c->end.async_wait(asio::posix::descriptor_base::wait_error,
                    c->breaks.with([self = shared_from_this(), c](const asio::error_code&) {
                      if (!c->open)
                        return;
                      self->lost(c);
                      self->end_if_over();
                    }));
}

void running_process::register_producer(producer& p, bool streaming) {
  if (producer_ != nullptr)
    throw std::logic_error("register_producer: a producer is registered already");
  const auto c = find(0);
  if (!c || !c->we_write || c->closing)
    return p.stop_producing();
  producer_ = &p;
  streaming_ = streaming;
  producer_paused_ = false;
  if (!streaming)
    p.resume_producing();
}

void running_process::unregister_producer() {
  producer_ = nullptr;
  if (const auto c = find(0); c && c->closing)
    mark_dirty();
}

void running_process::stop_producer() {
  if (auto* const p = std::exchange(producer_, nullptr))
    p->stop_producing();
}

std::size_t running_process::unsent() const noexcept {
  std::size_t sum = 0;
  for (const auto& [fd, c] : channels_)
    if (c)
      sum += c->out.size();
  return sum;
}

// -- input ----------------------------------------------------------------------------------------

void running_process::wait_readable(const channel_ptr& c) {
  if (c->waiting || paused_ || !c->open)
    return;
  c->waiting = true;
  c->end.async_wait(asio::posix::descriptor_base::wait_read,
                    c->waits.with([self = shared_from_this(), c](const asio::error_code&) {
                      c->waiting = false;
                      if (c->open && !self->paused_)
                        self->take_input(c);
                      self->end_if_over();
                    }));
}

void running_process::take_input(const channel_ptr& c) {
  std::error_code ec;
  auto* const into = memory_.scratch();
  const auto count = read_some(c->end.native_handle(), {into, loop_memory::read_bytes}, ec);
  if (count == 0 || ec)
    return lost(c);
  if (count > 0 && !c->closing)
    protocol_->enter("child_data_received", [&] {
      in_callback("child_data_received", [&] {
        protocol_->child_data_received(c->fd, {into, static_cast<std::size_t>(count)});
      });
    });
  wait_readable(c);
}

void running_process::resume_producing() {
  paused_ = false;
  for (const auto& [fd, c] : channels_)
    if (c && !c->we_write)
      wait_readable(c);
}

// -- the end --------------------------------------------------------------------------------------

void running_process::close_child_fd(int fd) {
  loop_.expect_here("close_child_fd", to_its_protocol);
  const auto c = find(fd);
  if (!c || c->closing)
    return;
  c->closing = true;
  mark_dirty();
}

void running_process::lost(const channel_ptr& c) {
  c->open = false;
  c->out.clear();
  asio::error_code ignored;
  c->end.close(ignored);
  channels_[c->fd] = nullptr;
  if (protocol_ == nullptr)
    return;
  const caf::strong_actor_ptr alive{protocol_->ctrl()};
  auto& p = *protocol_;
  if (c->fd == 0 && producer_ != nullptr)
    p.enter([this] { stop_producer(); });
  p.enter("child_connection_lost",
          [&] { in_callback("child_connection_lost", [&] { p.child_connection_lost(c->fd); }); });
}

void running_process::end_if_over() {
  if (protocol_ == nullptr || (!exit_ && !stopping_))
    return;
  for (const auto& [fd, c] : channels_)
    if (c)
      return;
  protocol_->end(exit_ ? exit_ : failure{errc::runtime_stopped});
}

failure running_process::signal_process(int signal) {
  loop_.expect_here("signal_process", to_its_protocol);
  return watch_->signal(signal);
}

failure running_process::signal_group(int signal) {
  return watch_->signal_group(signal);
}

std::optional<pid_t> running_process::pid() const noexcept {
  return watch_->has_exited() ? std::nullopt : std::optional{pid_};
}

void running_process::stop() {
  stopping_ = true;
  for (const auto& [fd, c] : channels_)
    close_child_fd(fd);
  mark_dirty();
}

void running_process::protocol_ended() {
  if (protocol_ == nullptr)
    return;
  protocol_ = nullptr;
  // It still refers to this object while it hears of the end.
  mark_dirty();
  alive_ = nullptr;
  watch_->forget();
  for (auto& [fd, c] : channels_)
    if (const auto closing = std::exchange(c, nullptr)) {
      if (closing->we_write && !closing->waiting && !closing->out.empty()) {
        std::array<iovec, pieces_per_call> pieces;
        std::error_code ignored; // nobody is left to tell
        write_some(closing->end.native_handle(), {pieces.data(), closing->out.gather(pieces)},
                   ignored);
      }
      closing->open = false;
      closing->out.clear();
      asio::error_code ignored;
      closing->end.close(ignored);
    }
  stop_producer(); // last, because it may throw
}

} // namespace troupe::detail
