#include <algorithm>
#include <cerrno>
#include <optional>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <caf/send.hpp>

#include <troupe/irc/dcc_file.hpp>
#include <troupe/net/endpoint.hpp>
#include <troupe/net/file_descriptor.hpp>
#include <troupe/net/tcp_endpoint.hpp>
#include <troupe/net/timeout_mixin.hpp>
#include <troupe/runtime/threads.hpp>

#include "dcc_single_factory.hpp"

namespace troupe::irc {

namespace {

class dcc_receiver;

/// One file that comes. The threads of the pool have the descriptor; all else is the loop's.
struct receiving {
  dcc_receive_options options;
  std::string path;
  std::optional<std::uint64_t> size; // of the whole
  std::optional<promise<dcc_received>> waiting{};
  canceller connecting{};
  listening_port port{}; // while the sender is waited for
  dcc_receiver* at_work = nullptr;
  std::shared_ptr<file_descriptor> file = std::make_shared<file_descriptor>();

  ~receiving() {
    if (waiting)
      waiting->abandon();
  }
  void succeed(std::uint64_t bytes) {
    if (waiting && !waiting->called())
      waiting->callback(dcc_received{path, bytes});
  }
  void fail(const failure& why) {
    port = {}; // which has this
    if (waiting && !waiting->called())
      waiting->errback(why);
  }
};

[[noreturn]] void refuse_file(int error, const std::string& path) {
  throw std::system_error(error, std::system_category(), path);
}

// In a thread of the pool.
file_descriptor open_target(const std::string& path, const dcc_receive_options& o) {
  int how = O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
  if (!o.resume_at)
    how |= O_CREAT | (o.overwrite ? 0 : O_EXCL);
  file_descriptor fd{::open(path.c_str(), how, 0600)};
  struct stat is {};
  if (!fd || ::fstat(fd.get(), &is) != 0)
    refuse_file(errno, path);
  if (!S_ISREG(is.st_mode))
    refuse_file(EINVAL, path + " is no plain file");
  const auto begin = static_cast<off_t>(o.resume_at.value_or(0));
  if (is.st_size < begin)
    refuse_file(EINVAL, path + " has less than is resumed behind");
  if (::ftruncate(fd.get(), begin) != 0)
    refuse_file(errno, path);
  return fd;
}

void write_all(int fd, std::string_view bytes, std::uint64_t at) {
  while (!bytes.empty()) {
    const auto n = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(at));
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      throw std::system_error(n < 0 ? errno : EIO, std::system_category(), "write");
    bytes.remove_prefix(static_cast<std::size_t>(n));
    at += static_cast<std::uint64_t>(n);
  }
}

class dcc_receiver final : public timeout_mixin<protocol>, public half_closeable {
public:
  dcc_receiver(caf::actor_config& cfg, std::shared_ptr<receiving> of)
    : timeout_mixin(cfg), of_(std::move(of)), got_(of_->options.resume_at.value_or(0)),
      written_(got_), limit_(of_->size.value_or(of_->options.rules.most_bytes)) {}

  void connection_made() override {
    of_->at_work = this;
    of_->connecting = {};
    of_->port = {};
    if (of_->waiting->called()) // it was cancelled in between
      return give_up(errc::cancelled);
    set_timeout(of_->options.silence);
    transport().pause_producing();
    defer_to_thread(*this,
                    [of = of_] {
                      *of->file = open_target(of->path, of->options);
                      return true;
                    })
      .add_callbacks(
        [this](bool) {
          ready_ = true;
          transport().resume_producing();
          go_on();
        },
        [this](const failure& why) { give_up(why); });
  }

  void data_received(bytes_view data) override {
    if (over_)
      return;
    reset_timeout();
    const auto taken =
      static_cast<std::size_t>(std::min<std::uint64_t>(data.size(), limit_ - got_));
    too_much_ = too_much_ || taken < data.size();
    pending_ += as_text(data.first(taken));
    got_ += taken;
    if (pending_.size() >= high_water)
      transport().pause_producing();
    go_on();
  }

  void read_connection_lost() override {
    ended_ = true;
    go_on();
  }
  void write_connection_lost() override {}

  void connection_lost(const failure& reason) override {
    of_->at_work = nullptr;
    if (over_)
      return;
    over_ = true;
    try { // what has come is bounded; the thread writes the same bytes to the same place
      if (writing_)
        write_all(of_->file->get(), *writing_, written_);
      if (ready_)
        write_all(of_->file->get(), pending_, written_ + (writing_ ? writing_->size() : 0));
    } catch (...) {
      return of_->fail(failure::current());
    }
    written_ = got_;
    if (complete() || (!of_->size && !too_much_ && ready_ && reason.check(errc::connection_done)))
      return of_->succeed(written_);
    of_->fail(reason.check(errc::connection_done) || reason.check(errc::connection_lost)
                ? shortness()
                : reason);
  }

  void end(const failure& why) {
    enter([&] { give_up(why); });
  }

private:
  static constexpr std::size_t high_water = 256 * 1024;

  [[nodiscard]] bool complete() const { return ready_ && of_->size && written_ == *of_->size; }

  [[nodiscard]] failure shortness() const {
    if (!of_->size)
      return {errc::connection_lost, too_much_ ? "larger than is accepted" : "the end is missing"};
    return {errc::connection_lost, std::to_string(*of_->size - written_) + " bytes short"};
  }

  void go_on() {
    if (over_ || !ready_ || writing_)
      return;
    if (!pending_.empty())
      return write();
    if (complete() || (!of_->size && ended_ && !too_much_)) {
      over_ = true;
      of_->succeed(written_);
      transport().lose_connection();
    } else if (ended_ || too_much_) {
      give_up(shortness());
    }
  }

  void write() {
    writing_ = std::make_shared<const std::string>(std::exchange(pending_, {}));
    defer_to_thread(*this,
                    [file = of_->file, bytes = writing_, at = written_] {
                      write_all(file->get(), *bytes, at);
                      return true;
                    })
      .add_callbacks(
        [this](bool) {
          written_ += writing_->size();
          writing_.reset();
          if (over_ || !connected())
            return;
          reset_timeout();
          const auto has = static_cast<std::uint32_t>(written_); // modulo 2^32, as all do
          const char said[] = {static_cast<char>(has >> 24), static_cast<char>(has >> 16),
                               static_cast<char>(has >> 8), static_cast<char>(has)};
          transport().write(std::string_view{said, sizeof said});
          transport().resume_producing();
          go_on();
        },
        [this](const failure& why) { give_up(why); });
  }

  void give_up(const failure& why) {
    if (std::exchange(over_, true))
      return;
    of_->fail(why);
    if (connected())
      transport().abort_connection();
  }

  const std::shared_ptr<receiving> of_;
  std::string pending_; // has come, and waits for the thread
  std::shared_ptr<const std::string> writing_;
  std::uint64_t got_;
  std::uint64_t written_;
  const std::uint64_t limit_;
  bool ready_ = false; // the file is open
  bool ended_ = false;
  bool too_much_ = false;
  bool over_ = false;
};

// Returns nothing, and has told why, if it is refused.
std::shared_ptr<receiving> begin_receiving(const dcc_request& offer, dcc_receive_options&& options,
                                           std::string& problem) {
  problem = offer.kind == dcc_kind::send ? dcc_refusal(offer, options.rules) : "no offer of a file";
  auto name = options.name.empty() ? dcc_file_name(offer.file) : options.name;
  if (problem.empty()
      && (name.empty() || name.find_first_of(std::string_view{"/\0", 2}) != std::string::npos
          || name == "." || name == ".."))
    problem = "no name of a file";
  if (problem.empty()
      && options.resume_at.value_or(0) > offer.size.value_or(options.rules.most_bytes))
    problem = "there is more than is offered, or accepted";
  if (!problem.empty())
    return nullptr;
  const auto of = std::make_shared<receiving>();
  of->path = options.folder + '/' + std::move(name);
  of->size = offer.size;
  of->options = std::move(options);
  of->waiting.emplace([weak = std::weak_ptr<receiving>(of)] {
    if (const auto self = weak.lock()) {
      std::exchange(self->connecting, {}).cancel();
      if (self->at_work != nullptr)
        return self->at_work->end(errc::cancelled);
      if (const auto open = std::exchange(self->port, {}).actor())
        caf::anon_send_exit(open, caf::exit_reason::user_shutdown);
    }
  });
  return of;
}

} // namespace

deferred<dcc_received> receive_file(runtime& rt, const dcc_request& offer,
                                    dcc_receive_options options) {
  std::string problem;
  const auto timeout = options.connect_timeout;
  const auto of = begin_receiving(offer, std::move(options), problem);
  if (of && offer.port == 0)
    problem = "the sender waits for an address";
  if (!problem.empty())
    return fail<dcc_received>(failure{errc::invalid_argument, "DCC: " + problem});
  auto result = of->waiting->get_deferred();
  connect_options connect;
  connect.timeout = timeout;
  tcp_client_endpoint to{rt, offer.address.host(), offer.port, connect};
  auto d = connect_protocol<dcc_receiver>(to, of);
  of->connecting = d.canceller();
  std::move(d).add_callbacks([](const connected_protocol&) {},
                             [of](const failure& why) { of->fail(why); });
  return result;
}

dcc_answered receive_file_here(runtime& rt, const dcc_request& offer, const std::string& own,
                               dcc_receive_options options, const dcc_listen_options& listen) {
  std::string problem;
  const auto of = begin_receiving(offer, std::move(options), problem);
  if (of && (offer.port != 0 || offer.token.empty()))
    problem = "the sender listens itself";
  auto reply = offer;
  if (!problem.empty())
    return {std::move(reply),
            fail<dcc_received>(failure{errc::invalid_argument, "DCC: " + problem})};
  const auto port = listen_dcc(rt, factory::of<dcc_single_factory<dcc_receiver, receiving>>(of),
                               listen, [of](const failure& why) { of->fail(why); });
  of->port = port;
  reply.file = dcc_sendable_name(reply.file);
  reply.port = port.get_host().port();
  reply.address = net_address::ip(own, reply.port);
  return {std::move(reply), of->waiting->get_deferred()};
}

dcc_request resume_request(const dcc_request& offer, std::uint64_t position) {
  dcc_request r;
  r.kind = dcc_kind::resume;
  r.file = dcc_sendable_name(offer.file); // senders go by the port or the token
  r.port = offer.port;
  r.position = position;
  r.token = offer.token;
  return r;
}

} // namespace troupe::irc
