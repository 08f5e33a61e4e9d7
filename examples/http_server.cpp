// Serves a folder over HTTP, or says hello.
//
//   $ build/release/examples/http_server --port 8080      $ curl http://127.0.0.1:8080/
//   http_server listens on 127.0.0.1:8080                 Hello, world!
//
//   $ build/release/examples/http_server --port 8080 --root /usr/share/doc/cmake
//
//   $ build/release/examples/http_server --port 8443 --tls-cert certificate.pem --tls-key key.pem
//
// It speaks HTTP/2 too: to browsers over TLS, and without to `curl --http2-prior-knowledge`.
//
// Ctrl-C stops it: what is under way is finished first. `--help` lists the options.

#include <troupe/http/http_router.hpp>
#include <troupe/http/http_server.hpp>
#include <troupe/http/static_files.hpp>

#ifdef WITH_HTTP2
#include <troupe/http2/http2_server.hpp>
#endif

#include "server_program.hpp"

int main(int argc, char** argv) {
  std::string root;
  bool log = false;
  const auto make_factory = [&](troupe::runtime& rt) {
    troupe::http_router site;
    if (root.empty())
      site.get("/", [](troupe::http_request) {
        return troupe::http_response{200, "Hello, world!"};
      });
    else
      site.mount("/", troupe::static_files(root));
    troupe::http_server_options options;
    if (log)
      options.access_log = [&rt](const troupe::http_access& a) {
        rt.logger().info("{}", troupe::combined_log_line(a));
      };
#ifdef WITH_HTTP2
    return troupe::http2_server(site.handler(), options);
#else
    return troupe::http_server(site.handler(), options);
#endif
  };
  std::vector<std::string> protocols{"http/1.1"};
#ifdef WITH_HTTP2
  protocols = troupe::http2_alpn();
#endif
  return server_program::run(argc, argv, "http_server", "Serves a folder, or says hello.", 8080,
                             make_factory, server_program::tls_use::if_asked(protocols), {}, {},
                             [&](CLI::App& app) {
                               app.add_option("--root", root, "the folder (none: says hello)")
                                 ->check(CLI::ExistingDirectory);
                               app.add_flag("--access-log", log, "logs a line for each request");
                             });
}
