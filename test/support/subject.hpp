#pragma once

#include <functional>
#include <string>
#include <utility>

#include <troupe/net/builder.hpp>
#include <troupe/net/factory.hpp>
#include <troupe/net/protocol.hpp>

#include "support/catch.hpp"
#include "support/running.hpp"

namespace troupe::testing {

/// The protocol whose transport the suite of transports looks at: it does what its script says and
/// tells what happens to it. It can be registered as a producer.
class subject : public protocol, public producer {
public:
  struct script {
    using step = std::function<void(subject&)>;
    step made = nothing;
    std::function<void(subject&, std::string)> data = [](subject&, const std::string&) {
    };
    step resume = nothing, pause = nothing, stop = nothing, lost = nothing;
    step read_lost = nothing, write_lost = nothing;
    events connected;
    subject* who = nullptr; // that is connected
    caf::strong_actor_ptr alive{};

    static void nothing(subject&) {}
  };

  subject(caf::actor_config& cfg, events* l, script* s) : protocol(cfg), log(l), script_(s) {}

  void connection_made() override {
    script_->alive = caf::strong_actor_ptr{ctrl()};
    script_->who = this;
    script_->connected.add("connected");
    script_->made(*this);
  }
  void data_received(bytes_view data) override {
    expect(!data.empty() && data.size() <= 65'536, "one to 65,536 bytes");
    script_->data(*this, std::string{as_text(data)});
  }
  void connection_lost(const failure& why) override {
    script_->lost(*this);
    log->add(lost(why));
  }
  void resume_producing() override {
    log->add("resume");
    script_->resume(*this);
  }
  void pause_producing() override {
    log->add("pause");
    script_->pause(*this);
  }
  void stop_producing() override {
    log->add("stop");
    script_->stop(*this);
  }

  /// What it tells when the connection is lost for this reason; the system's text differs.
  static std::string lost(const failure& why) {
    return "lost: " + (why.check(errc::connection_lost) ? "broken" : why.message());
  }

  /// Tells what does not hold. (Catch2's checks are for one thread.)
  void expect(bool holds, const std::string& what) const {
    if (!holds)
      log->add("not " + what);
  }

  events* log;
  int count = 0;

protected:
  script* script_;
};

/// The same, for half-closed connections.
class half_subject : public subject, public half_closeable {
public:
  using subject::subject;
  void read_connection_lost() override {
    log->add("read lost");
    script_->read_lost(*this);
  }
  void write_connection_lost() override {
    log->add("write lost");
    script_->write_lost(*this);
  }
};

/// The same, for a transport that reads in another way where descriptors are taken.
template <class Subject>
class receiving : public Subject, public file_descriptor_receiver {
public:
  using Subject::Subject;
  void file_descriptor_received(file_descriptor) override { this->log->add("a descriptor"); }
};

/// Which protocol an adaptor wants for `Subject`.
template <class Adaptor, class Subject>
struct wanted {
  using type = Subject;
};
template <class Adaptor, class Subject>
requires(Adaptor::takes_descriptors) struct wanted<Adaptor, Subject> {
  using type = receiving<Subject>;
};

/// How an adaptor gets its subject: from a factory, or, where a connection has none, by itself.
struct subjects {
  factory_ref made;
  builder<protocol> alone;
};

/// One connection between a subject and a peer that the test plays, over the transport of
/// `Adaptor`:
///
/// ```cpp
/// struct adaptor {
///   static constexpr bool hears_abort = true;     // to the peer, an abort is no ordinary end
///   static constexpr bool takes_descriptors;      // true, if it is there: the subject takes them
///   static std::string after_reset();             // what the subject tells when the peer resets
///   explicit adaptor(const subjects& s);          // connects a subject
///   void run(std::function<void()> fn);           // in the subject's loop; returns when it has run
///   bool wait(events& log, std::size_t count);    // lets things happen until there are as many
///   // the peer, as `testing::client`; it reads nothing but within receive() and rest()
///   void send(std::string_view data);
///   std::string receive(std::size_t size);
///   std::string rest();                           // until the end
///   bool was_reset();                             // whether that was no ordinary end
///   void shut_write();
///   void reset();
///   void close();
/// };
/// ```
template <class Adaptor, class Subject = subject>
struct scene {
  using protocol_type = typename wanted<Adaptor, Subject>::type;

  template <class Setup>
  explicit scene(Setup setup)
    : script_(setup), peer(subjects{factory::for_protocol<protocol_type>(&log, &script_.script),
                                    build<protocol_type>(&log, &script_.script)}) {}

  /// Runs `fn` as the subject; without effect once that has ended.
  void as_subject(const std::function<void(subject&)>& fn) {
    REQUIRE(peer.wait(script_.script.connected, 1));
    peer.run([this, &fn] {
      auto& s = *script_.script.who;
      s.enter([&] { fn(s); });
    });
  }

  /// Waits for `count` events, and returns all.
  std::vector<std::string> happened(std::size_t count) {
    CHECK(peer.wait(log, count));
    return log.all();
  }

private:
  struct made_script {
    template <class Setup>
    explicit made_script(Setup& setup) {
      setup(script);
    }
    subject::script script;
  };

public:
  events log;

private:
  made_script script_;

public:
  Adaptor peer;
};

/// The peer in memory: reads only when it is told to, as one that blocks does.
class memory_peer : public protocol, public half_closeable {
public:
  using protocol::protocol;
  void connection_made() override { transport().pause_producing(); }
  void data_received(bytes_view data) override { received += as_text(data); }
  void read_connection_lost() override { ended = true; }
  void write_connection_lost() override {}
  void connection_lost(const failure& why) override {
    ended = true;
    broken = why.check(errc::connection_lost);
  }
  std::string received;
  bool ended = false;
  bool broken = false;
};

} // namespace troupe::testing
