// The client of the NATS project in C (libnats), as cluster_bench.py tells it by lines on standard input:
//
//   peer_libnats URL sub   expect N: answers that it does, and when N messages more have come, each the next one
//   peer_libnats URL pub   publish N: publishes as many; answers when the server has had them
//
// The messages are those of bench_node, and so is the window.

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <string>

#include <nats/nats.h>

namespace {

constexpr std::uint64_t window = 20'000;
constexpr std::size_t length = 100;

void answer(const char* text = "ok") {
  std::puts(text);
  std::fflush(stdout);
}

void must(natsStatus s) {
  if (s == NATS_OK)
    return;
  std::fprintf(stderr, "peer_libnats: %s\n", natsStatus_GetText(s));
  std::exit(1);
}

struct taker {
  std::uint64_t taken = 0;
  std::atomic<std::uint64_t> wanted{0};
};

void took(natsConnection* nats, natsSubscription*, natsMsg* m, void* closure) {
  auto& t = *static_cast<taker*>(closure);
  std::uint64_t number = 0;
  std::memcpy(&number, natsMsg_GetData(m), sizeof number);
  if (natsMsg_GetDataLength(m) != static_cast<int>(length) || number != t.taken) {
    answer("wrong");
    std::_Exit(1);
  }
  if (++t.taken % (window / 4) == 0) {
    must(natsConnection_Publish(nats, "acks", &t.taken, sizeof t.taken));
  }
  if (t.taken == t.wanted)
    answer();
  natsMsg_Destroy(m);
}

} // namespace

int main(int argc, char** argv) {
  if (argc != 3)
    return 2;
  const bool takes = argv[2] == std::string{"sub"};
  natsConnection* nats = nullptr;
  natsSubscription* sub = nullptr;
  must(natsConnection_ConnectTo(&nats, argv[1]));
  taker t;
  if (takes)
    must(natsConnection_Subscribe(&sub, nats, "room", took, &t));
  else
    must(natsConnection_SubscribeSync(&sub, nats, "acks"));
  must(natsConnection_FlushTimeout(nats, 10'000));
  answer("connected");
  std::string bytes(length, 'x');
  std::uint64_t sent = 0, acknowledged = 0;
  for (std::string line; std::getline(std::cin, line);) {
    const auto count = std::stoull(line.substr(line.find(' ') + 1));
    if (takes) {
      t.wanted = t.wanted + count;
      answer("expecting");
      continue;
    }
    for (const auto end = sent + count; sent < end; ++sent) {
      while (sent - acknowledged >= window) {
        natsMsg* m = nullptr;
        must(natsSubscription_NextMsg(&m, sub, 30'000));
        std::memcpy(&acknowledged, natsMsg_GetData(m), sizeof acknowledged);
        natsMsg_Destroy(m);
      }
      std::memcpy(bytes.data(), &sent, sizeof sent);
      must(natsConnection_Publish(nats, "room", bytes.data(), static_cast<int>(bytes.size())));
    }
    must(natsConnection_FlushTimeout(nats, 30'000));
    answer();
  }
  natsSubscription_Destroy(sub);
  natsConnection_Destroy(nats);
}
