#pragma once

#include <map>
#include <memory>

#include <troupe/net/detail/output_queue.hpp>
#include <troupe/net/process_protocol.hpp>
#include <troupe/net/process_transport.hpp>
#include <troupe/runtime/detail/operation_room.hpp>
#include <troupe/runtime/event_loop.hpp>

#include "child_start.hpp"
#include "child_watch.hpp"
#include "loop_memory.hpp"

namespace troupe::detail {

/// The pipes of a child, and what connects it to its protocol. It keeps itself for as long as its
/// protocol refers to it, whether or not any operation is under way: a paused one has none.
///
/// Thread: that of its loop.
class running_process final : public process_transport,
                              private end_of_turn,
                              public std::enable_shared_from_this<running_process> {
public:
  running_process(event_loop& loop, started_child child, const output_limits& limits);
  ~running_process() override;

  /// Waits for the exit of the child. Called once.
  ///
  /// \param own_group  the child leads a process group, which ends with it
  /// \throws std::system_error if the system has no room for that; then the child is killed
  void watch(unique_fd pidfd, bool own_group = false);

  /// Connects `p`, and reads. Called once.
  void open(process_protocol& p);

  void write_to_child(int fd, bytes_view data) override;
  void register_producer(producer& p, bool streaming) override;
  void unregister_producer() override;
  void set_output_limits(const output_limits& limits) override { limits_ = limits; }
  [[nodiscard]] std::size_t unsent() const noexcept override;
  void pause_producing() override { paused_ = true; }
  void resume_producing() override;
  void close_child_fd(int fd) override;
  failure signal_process(int signal) override;
  failure signal_group(int signal) override;
  [[nodiscard]] std::optional<pid_t> pid() const noexcept override;
  void stop() override;
  void protocol_ended() override;

private:
  /// A pipe, until it is closed.
  struct channel {
    channel(event_loop& loop, chunk_pool& pool, child_pipe p);

    const int fd; // in the child
    const bool we_write;
    loop_descriptor end;
    output_queue out;
    operation_room waits;
    operation_room breaks; // of one that we write to: its reader's end
    bool open = true;
    bool closing = false; // once `out` is empty
    bool waiting = false; // for input, or until more output is taken
  };
  using channel_ptr = std::shared_ptr<channel>;

  void write_if_open(int fd, bytes_view data) override;
  void turn_ended() noexcept override;
  void mark_dirty();
  void append(const channel_ptr& c, bytes_view data);
  void flush(const channel_ptr& c);
  void drained(const channel_ptr& c);
  void wait_writable(const channel_ptr& c);
  void wait_broken(const channel_ptr& c);
  void wait_readable(const channel_ptr& c);
  void take_input(const channel_ptr& c);
  void lost(const channel_ptr& c);
  void stop_producer();
  void end_if_over();
  channel_ptr find(int fd) const;

  event_loop& loop_;
  loop_memory& memory_;
  process_protocol* protocol_ = nullptr; // alive as long as it is set: its loop keeps it
  producer* producer_ = nullptr;         // of standard input
  output_limits limits_;
  const pid_t pid_;
  std::map<int, channel_ptr> channels_; // all there ever were; closed ones are null
  std::shared_ptr<child_watch> watch_;
  std::shared_ptr<running_process> alive_; // while there is a protocol
  std::shared_ptr<running_process> self_;  // while the end of the turn is waited for
  failure exit_;                           // how the child ended, once it has
  bool paused_ = false;
  bool stopping_ = false;
  bool streaming_ = false; // the producer pushes
  bool producer_paused_ = false;
};

} // namespace troupe::detail
