// What a user can get wrong, in one table: each is a failure with a text that names what was wrong, and
// leaves no descriptor behind. How each kind tells it in detail is in the tests of that kind.

#include <troupe/net/endpoint_string.hpp>

#include <fstream>
#include <future>

#include <troupe/net/get_process_output.hpp>
#include <troupe/net/listen_ssl.hpp>
#include <troupe/net/listen_tcp.hpp>
#include <troupe/net/listen_udp.hpp>
#include <troupe/net/listen_unix.hpp>

#include "support/catch.hpp"
#include "support/running.hpp"
#include "support/tls.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

class quiet : public protocol {
public:
  using protocol::protocol;
};

class quiet_datagrams : public datagram_protocol {
public:
  using datagram_protocol::datagram_protocol;
};

/// Where the mistakes are made: a runtime, files, and servers with good and bad certificates.
class stage {
public:
  stage() : r(1) {
    std::ofstream{file("garbage.pem")} << "this is no key\n";
    good = ca.issue({.name = "good"});
    tls_port = serve(good);
    expired_port = serve(ca.issue({.name = "old", .begins = -7200, .ends = -3600}));
    foreign_port = serve(stranger.issue());
    listen_unix(r.rt, file("taken"), factory::for_protocol<quiet>());
    auto closed = listen_tcp(r.rt, 0, factory::for_protocol<quiet>());
    closed_port = closed.get_host().port();
    closed.stop_listening();
    r.start();
  }

  [[nodiscard]] std::string file(const std::string& name) const { return ca.folder / name; }

  /// What comes of listening, or connecting, as the string says: the text of the failure.
  std::string listen(const std::string& description) {
    return on_loop([&] {
      return server_from_string(r.rt, description)
        ->listen(factory::for_protocol<quiet>())
        .add_callback([](listening_port port) {
          port.stop_listening();
          return std::string{"nothing"};
        });
    });
  }
  std::string connect(const std::string& description) {
    return on_loop([&] {
      return client_from_string(r.rt, description)
        ->connect(factory::for_protocol<quiet>())
        .add_callback([](const connected_protocol& p) {
          p.lose_connection();
          return std::string{"nothing"};
        });
    });
  }
  std::string tls(std::uint16_t port, const std::string& host = "localhost") {
    return connect("tls:127.0.0.1:" + std::to_string(port) + ":hostname=" + host
                   + ":caCertsFile=" + quote_string_argument(ca.file()));
  }

  /// Waits for what `fn` gives, on loop 0: its result, or the text of its failure.
  template <class F>
  std::string on_loop(F fn) {
    std::promise<std::string> text;
    auto result = text.get_future();
    r.rt.reactor().call_from_thread([&] {
      try {
        fn()
          .add_callback([&](std::string done) { text.set_value(std::move(done)); })
          .add_errback([&](const failure& why) { text.set_value(why.message()); });
      } catch (const std::exception& e) { // a mistake that is known at once
        text.set_value(e.what());
      }
    });
    if (result.wait_for(20s) != std::future_status::ready)
      std::terminate(); // `fn` is gone when this returns
    return result.get();
  }

  authority ca, stranger{"stranger"};
  running r;
  tls_identity good;
  std::uint16_t tls_port, expired_port, foreign_port;
  std::uint16_t closed_port; // was free a moment ago

private:
  std::uint16_t serve(const tls_identity& identity) {
    return listen_ssl(r.rt, 0, factory::for_protocol<quiet>(),
                      tls_server_context{{.identities = {identity}}})
      .get_host()
      .port();
  }
};

std::string in_string(const std::string& path) {
  return quote_string_argument(path);
}

struct mistake {
  const char* what;
  std::function<std::string(stage&)> make;       // gives the text of the failure
  std::function<std::string(const stage&)> says; // what that must be, or hold
};

// No name at all: one of its parts is too long, so that no server is asked.
const std::string no_host = std::string(64, 'x') + ".example";

std::string always(const char* text) {
  return text;
}

const mistake mistakes[] = {
  {"an unknown host", [](stage& s) { return s.connect("tcp:" + no_host + ":80"); },
   [](const stage&) {
     return no_host;
   }},
  {"a port that refuses",
   [](stage& s) { return s.connect("tcp:127.0.0.1:" + std::to_string(s.closed_port)); },
   [](const stage& s) {
     return "127.0.0.1:" + std::to_string(s.closed_port) + ": the connection was refused";
   }},
  {"an endpoint of an unknown kind", [](stage& s) { return s.connect("tpc:localhost:80"); },
   [](const stage&) {
     return always("unknown kind of client endpoint \"tpc\"; there are tcp, tcp6, ssl, tls, unix\n"
                   "  tpc:localhost:80\n"
                   "  ^");
   }},
  {"an endpoint with a wrong number", [](stage& s) { return s.listen("tcp:80000"); },
   [](const stage&) {
     return always("\"port\" is a number from 0 to 65535, and not \"80000\"\n"
                   "  tcp:80000\n"
                   "      ^");
   }},
  {"a port in use", [](stage& s) { return s.listen("tcp:" + std::to_string(s.tls_port)); },
   [](const stage& s) {
     return "Couldn't listen on 127.0.0.1:" + std::to_string(s.tls_port)
            + ": Address already in use";
   }},
  {"an interface that is not ours", [](stage& s) { return s.listen("tcp:0:interface=192.0.2.1"); },
   [](const stage&) {
     return always("Couldn't listen on 192.0.2.1:0: Cannot assign requested address");
   }},
  {"an inherited socket that is none", [](stage& s) { return s.listen("fd:9999"); },
   [](const stage&) {
     return always("Couldn't listen on descriptor 9999: Bad file descriptor");
   }},
  {"a socket that nobody passed", [](stage& s) { return s.listen("systemd:INET:index=0"); },
   [](const stage&) {
     return always("systemd has passed none to this process), and not \"0\"\n"
                   "  systemd:INET:index=0\n"
                   "                     ^");
   }},
  {"a certificate that is not there",
   [](stage& s) {
     return s.listen("ssl:0:" + in_string(s.good.key_file)
                     + ":certKey=" + in_string(s.file("none.pem")));
   },
   [](const stage& s) {
     return s.file("none.pem") + ": No such file or directory";
   }},
  {"a key that is none",
   [](stage& s) {
     return s.listen("ssl:0:" + in_string(s.file("garbage.pem"))
                     + ":certKey=" + in_string(s.good.certificate_file));
   },
   [](const stage& s) {
     return s.file("garbage.pem") + ": it holds no private key";
   }},
  {"a key that cannot be read",
   [](stage& s) {
     return s.listen("ssl:0:" + in_string(s.file("")) // a folder, which root cannot read either
                     + ":certKey=" + in_string(s.good.certificate_file));
   },
   [](const stage& s) {
     return s.file("") + ": Is a directory";
   }},
  {"an expired certificate", [](stage& s) { return s.tls(s.expired_port); },
   [](const stage&) {
     return always("certificate has expired (CN=old): the certificate was refused");
   }},
  {"the certificate of a stranger", [](stage& s) { return s.tls(s.foreign_port); },
   [](const stage&) {
     return always("unable to get local issuer certificate (CN=test): the certificate was refused");
   }},
  {"the certificate of another host", [](stage& s) { return s.tls(s.tls_port, "chat.example"); },
   [](const stage&) {
     return always("wanted chat.example, and the certificate is for localhost");
   }},
  {"a datagram that is too long",
   [](stage& s) {
     return s.on_loop([&s] {
       auto port = listen_udp(s.r.rt, 0, datagram_protocol::of<quiet_datagrams>());
       auto& p =
         *static_cast<datagram_protocol*>(caf::actor_cast<caf::abstract_actor*>(port.actor()));
       promise<std::string> told;
       auto result = told.get_deferred();
       s.r.rt.reactor().call_later(duration::zero(), [port, &p, t = std::move(told)]() mutable {
         const auto why =
           p.transport().write(std::string(65'508, 'x'), net_address::ip("127.0.0.1", 9));
         port.stop_listening();
         t.callback(why.message());
       });
       return result;
     });
   },
   [](const stage&) {
     return make_error_code(errc::message_too_long).message();
   }},
  {"a program that is not there",
   [](stage& s) {
     return s.on_loop([&s] { return get_process_output(s.r.rt, "/no/such/program"); });
   },
   [](const stage&) {
     return always("/no/such/program: No such file or directory: the process could not be started");
   }},
  {"a path of a UNIX socket that is too long",
   [](stage& s) { return s.listen("unix:" + in_string(s.file(std::string(120, 'x')))); },
   [](const stage& s) {
     return "the path of a UNIX socket is longer than 107 bytes: " + s.file(std::string(120, 'x'));
   }},
  {"a path of a UNIX socket in use",
   [](stage& s) { return s.listen("unix:" + in_string(s.file("taken"))); },
   [](const stage& s) {
     return s.file("taken") + ": its lock is held: Address already in use";
   }},
  {"a path where nobody listens",
   [](stage& s) { return s.connect("unix:" + in_string(s.file("nobody"))); },
   [](const stage& s) {
     return s.file("nobody") + ": No such file or directory";
   }},
};

} // namespace

TEST_CASE("every mistake is a failure that names it, and leaves nothing open", "[bad_input]") {
  stage s;
  for (const auto& m : mistakes) {
    CAPTURE(m.what);
    m.make(s); // what is opened once, at the first use, stays
    const auto before = open_descriptors();
    // Two sockets of the first time may be closing still. One that leaks each time shows all the same.
    for (int i = 0; i < 3; ++i)
      m.make(s);
    const auto text = m.make(s);
    CAPTURE(text, m.says(s));
    CHECK(text.find(m.says(s)) != std::string::npos);
    CHECK(comes_down_to(before));
  }
}
