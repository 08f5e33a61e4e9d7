#include <troupe/basic/file_sender.hpp>

#include <cerrno>
#include <memory>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <unistd.h>

#include <troupe/runtime/threads.hpp>

namespace troupe {

namespace {

/// One file on its way. It holds itself while the transport may call it.
class sending final : public producer, public std::enable_shared_from_this<sending> {
public:
  sending(protocol& p, file_descriptor file, send_file_options options)
    : protocol_(p), transport_(p.transport()),
      file_(std::make_shared<file_descriptor>(std::move(file))), options_(std::move(options)),
      left_(options_.count) {}

  deferred<sent_file> start() {
    waiting_.emplace([weak = weak_from_this()] {
      if (const auto self = weak.lock())
        self->finish();
    });
    auto waits = waiting_->get_deferred();
    self_ = shared_from_this();
    registered_ = true;
    try {
      transport_.register_producer(*this, false);
    } catch (...) {
      self_.reset(); // the transport has another one
      throw;
    }
    return waits;
  }

  // Everything that was written has been sent.
  void resume_producing() override {
    wanted_ = true;
    go_on();
  }

  void stop_producing() override {
    registered_ = false;
    fail(failure{errc::not_connected, "Consumer asked us to stop producing"});
  }

private:
  void go_on() {
    const auto alive = self_;
    if (!alive || !wanted_)
      return;
    if (chunk_) {
      wanted_ = false;
      auto chunk = *std::exchange(chunk_, std::nullopt);
      if (chunk.empty() && at_end_)
        return succeed();
      write(std::move(chunk));
    }
    if (!reading_ && !chunk_ && self_)
      read();
  }

  void write(std::string chunk) {
    if (options_.transform) {
      try {
        chunk = options_.transform(std::move(chunk));
      } catch (...) {
        return fail(failure::current());
      }
    }
    if (!self_)
      return;
    if (chunk.empty()) // a transport that gets nothing does not ask again
      wanted_ = true;
    else {
      sent_.bytes += chunk.size();
      sent_.last = chunk.back();
      transport_.write(chunk);
    }
  }

  void read() {
    reading_ = true;
    auto size = options_.chunk;
    if (left_ && *left_ < size)
      size = static_cast<std::size_t>(*left_);
    defer_to_thread(protocol_,
                    [file = file_, size] { // which stays open while this runs
                      std::string bytes(size, '\0');
                      ssize_t got = 0;
                      do
                        got = size == 0 ? 0 : ::read(file->get(), bytes.data(), size);
                      while (got < 0 && errno == EINTR);
                      if (got < 0)
                        throw std::system_error(errno, std::system_category(), "read");
                      bytes.resize(static_cast<std::size_t>(got));
                      return bytes;
                    })
      .add_both([self = shared_from_this()](outcome<std::string> got) {
        self->reading_ = false;
        if (!self->self_)
          return;
        if (!got)
          return self->fail(got.error());
        if (self->left_)
          *self->left_ -= got->size();
        self->at_end_ = got->empty();
        self->chunk_ = *std::move(got);
        self->go_on();
      });
  }

  // Lets go of everything; the rest of a read finds that.
  std::shared_ptr<sending> finish() {
    auto self = std::exchange(self_, nullptr);
    if (self && std::exchange(registered_, false))
      transport_.unregister_producer();
    file_.reset();
    chunk_.reset();
    return self;
  }

  void succeed() {
    const auto alive = finish();
    if (alive && !waiting_->called())
      waiting_->callback(sent_);
  }

  void fail(const failure& why) {
    const auto alive = finish();
    if (alive && !waiting_->called())
      waiting_->errback(why);
  }

  protocol& protocol_;   // outlives what its transport calls, and answers from threads
  transport& transport_; // as long as it has this
  std::shared_ptr<file_descriptor> file_;
  const send_file_options options_;
  std::optional<std::uint64_t> left_;
  std::optional<promise<sent_file>> waiting_;
  std::shared_ptr<sending> self_;    // until it is over
  std::optional<std::string> chunk_; // read, and not written
  sent_file sent_;
  bool registered_ = false;
  bool wanted_ = false; // the transport has room
  bool reading_ = false;
  bool at_end_ = false;
};

} // namespace

deferred<sent_file> send_file(protocol& p, file_descriptor file, send_file_options options) {
  if (options.chunk == 0)
    throw std::logic_error("send_file: a chunk of no bytes");
  return std::make_shared<sending>(p, std::move(file), std::move(options))->start();
}

} // namespace troupe
