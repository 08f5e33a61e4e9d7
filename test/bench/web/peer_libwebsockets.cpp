// Sends every message of a WebSocket back, with libwebsockets: peer_libwebsockets PORT.

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <libwebsockets.h>

namespace {

constexpr std::size_t most = 256;

struct session {
  unsigned char frame[LWS_PRE + most];
  std::size_t size;
};

int serve(lws* socket, lws_callback_reasons why, void* of, void* data, std::size_t size) {
  auto* const s = static_cast<session*>(of);
  switch (why) {
  case LWS_CALLBACK_RECEIVE:
    if (size > most)
      return -1;
    std::memcpy(s->frame + LWS_PRE, data, size);
    s->size = size;
    lws_callback_on_writable(socket);
    return 0;
  case LWS_CALLBACK_SERVER_WRITEABLE:
    return lws_write(socket, s->frame + LWS_PRE, s->size, LWS_WRITE_TEXT) < 0 ? -1 : 0;
  default:
    return 0;
  }
}

} // namespace

int main(int argc, char** argv) {
  lws_set_log_level(LLL_ERR, nullptr);
  const lws_protocols protocols[] = {{"echo", serve, sizeof(session), most, 0, nullptr, 0},
                                     {nullptr, nullptr, 0, 0, 0, nullptr, 0}};
  lws_context_creation_info info{};
  info.port = argc > 1 ? std::atoi(argv[1]) : 0;
  info.iface = "127.0.0.1";
  info.protocols = protocols;
  info.options = LWS_SERVER_OPTION_DISABLE_IPV6;
  auto* const context = lws_create_context(&info);
  if (context == nullptr)
    return EXIT_FAILURE;
  while (lws_service(context, 0) >= 0) {
  }
  lws_context_destroy(context);
}
