// A thread that blocks asks a web server, through an agent that belongs to the reactor.
//
//   $ build/release/examples/blocking_agent http://127.0.0.1:8080/
//   200 OK

#include <cstdio>
#include <exception>
#include <memory>
#include <string>

#include <troupe/http/http_agent.hpp>
#include <troupe/runtime/runtime.hpp>
#include <troupe/runtime/threads.hpp>

void in_thread(troupe::runtime& rt, troupe::http_agent& agent, const std::string& url) {
  try {
    const auto result = troupe::blocking_call_from_thread(rt.reactor(), [&] {
      // What goes to another thread is text: the response belongs to the reactor.
      return agent.get(url).add_callback([](troupe::http_client_response r) {
        return std::to_string(r.status()) + ' ' + std::string{r.phrase()};
      });
    });
    std::puts(result.c_str());
  } catch (const std::exception& e) {
    std::puts(e.what());
  }
  rt.reactor().call_from_thread([&] { rt.stop(); });
}

int main(int argc, char** argv) {
  const std::string url = argc > 1 ? argv[1] : "http://127.0.0.1:8080/";
  troupe::runtime rt;
  auto agent = std::make_unique<troupe::http_agent>(rt);
  rt.reactor().add_system_event_trigger(troupe::trigger_phase::during,
                                        troupe::system_event::shutdown, [&] { agent.reset(); });
  rt.reactor().call_in_thread([&] { in_thread(rt, *agent, url); });
  return rt.run().exit_code();
}
