#include <cerrno>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <caf/send.hpp>

#include <troupe/basic/file_sender.hpp>
#include <troupe/irc/dcc_file.hpp>
#include <troupe/net/timeout_mixin.hpp>

#include "dcc_single_factory.hpp"

namespace troupe::irc {

namespace {

class dcc_sender;

class offered_file final : public dcc_offer {
public:
  ~offered_file() override { done.abandon(); }

  [[nodiscard]] const dcc_request& request() const override { return request_; }

  std::optional<dcc_request> resume(const dcc_request& wanted) override {
    if (wanted.kind != dcc_kind::resume || wanted.port != request_.port || begun || done.called()
        || wanted.position > *request_.size)
      return std::nullopt;
    position = wanted.position;
    auto accept = wanted;
    accept.kind = dcc_kind::accept;
    return accept;
  }

  void withdraw() override;
  [[nodiscard]] deferred<std::uint64_t> sent() override { return done.get_deferred(); }

  void fail(const failure& why) {
    port = {}; // which has this
    if (!done.called())
      done.errback(why);
  }

  dcc_request request_;
  file_descriptor file;
  std::uint64_t position = 0;
  duration wait_for_end{};
  promise<std::uint64_t> done;
  listening_port port;
  dcc_sender* at_work = nullptr;
  bool begun = false;
};

class dcc_sender final : public timeout_mixin<protocol>, public half_closeable {
public:
  dcc_sender(caf::actor_config& cfg, std::shared_ptr<offered_file> of)
    : timeout_mixin(cfg), of_(std::move(of)) {}

  void connection_made() override {
    of_->at_work = this;
    of_->begun = true;
    of_->port = {};
    const auto size = *of_->request_.size;
    if (of_->done.called()
        || ::lseek(of_->file.get(), static_cast<off_t>(of_->position), SEEK_SET) < 0)
      return transport().abort_connection();
    set_timeout(of_->wait_for_end);
    send_file_options how;
    how.count = size - of_->position;
    how.transform = [this](std::string chunk) { // the one before it has left
      reset_timeout();
      return chunk;
    };
    send_file(*this, std::move(of_->file), how)
      .add_callbacks(
        [this, size](const sent_file& sent) {
          if (of_->position + sent.bytes != size)
            return give_up(failure{errc::connection_lost, "the file has become shorter"});
          sent_all_ = true;
          reset_timeout();
          finish_if_confirmed();
        },
        [this](const failure& why) {
          if (!why.check(errc::not_connected)) // else `connection_lost` knows better why
            give_up(why);
        });
  }

  void data_received(bytes_view data) override {
    reset_timeout();
    for (const auto byte : data) {
      said_ = (said_ << 8) | static_cast<std::uint32_t>(byte);
      if (++count_ % 4 == 0)
        confirmed_ = said_;
    }
    finish_if_confirmed();
  }

  // Some receivers close their side at once, and are right if they have all.
  void read_connection_lost() override {
    peer_ended_ = true;
    finish_if_confirmed();
  }
  void write_connection_lost() override {}

  void connection_lost(const failure& reason) override {
    of_->at_work = nullptr;
    if (of_->done.called())
      return;
    if (sent_all_ && reason.check(errc::connection_done))
      return of_->done.callback(*of_->request_.size);
    of_->fail(reason.check(errc::connection_done)
                ? failure{errc::connection_lost, "the receiver has closed early"}
                : reason);
  }

  void end(const failure& why) {
    enter([&] { give_up(why); });
  }

private:
  void finish_if_confirmed() {
    if (!sent_all_ || !connected())
      return;
    if (confirmed_ == static_cast<std::uint32_t>(*of_->request_.size) || peer_ended_
        || *of_->request_.size == of_->position)
      transport().lose_connection();
  }

  void give_up(const failure& why) {
    of_->fail(why);
    if (connected())
      transport().abort_connection();
  }

  const std::shared_ptr<offered_file> of_;
  std::uint32_t said_ = 0;
  std::uint64_t count_ = 0;
  std::optional<std::uint32_t> confirmed_; // how much it has, modulo 2^32
  bool sent_all_ = false;
  bool peer_ended_ = false;
};

void offered_file::withdraw() {
  if (at_work != nullptr)
    return at_work->end(errc::cancelled);
  if (begun || done.called())
    return;
  const auto open = port.actor();
  fail(errc::cancelled);
  if (open)
    caf::anon_send_exit(open, caf::exit_reason::user_shutdown);
}

} // namespace

std::shared_ptr<dcc_offer> offer_file(runtime& rt, const std::string& path, const std::string& own,
                                      const dcc_listen_options& listen, duration wait_for_end) {
  const auto of = std::make_shared<offered_file>();
  of->file = file_descriptor{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  struct stat is {};
  if (!of->file || ::fstat(of->file.get(), &is) != 0)
    throw std::system_error(errno, std::system_category(), path);
  if (!S_ISREG(is.st_mode))
    throw std::system_error(EINVAL, std::system_category(), path + " is no plain file");
  of->wait_for_end = wait_for_end;
  auto& r = of->request_;
  r.file = dcc_sendable_name(dcc_file_name(path));
  r.size = static_cast<std::uint64_t>(is.st_size);
  of->port = listen_dcc(rt, factory::of<dcc_single_factory<dcc_sender, offered_file>>(of), listen,
                        [of](const failure& why) { of->fail(why); });
  r.port = of->port.get_host().port();
  r.address = net_address::ip(own, r.port);
  return of;
}

} // namespace troupe::irc
