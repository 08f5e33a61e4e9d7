// The client of the NATS project in C (libnats), as cluster_bench.py tells it by lines on standard input:
//
//   peer_libnats URL sub   expect N: answers that it does, and when N messages more have come, each the next one
//   peer_libnats URL pub   publish N: publishes as many; answers when the server has had them
//   peer_libnats URL rep   answers requests with what they say
//   peer_libnats URL req   ask N: one request after the other, N times; answers when it has each number back
//   peer_libnats URL keep  append N M: publishes N messages to a stream, of which at most M wait for their acknowledgement; answers when all
//                          have it. With 1 it waits for each
//   peer_libnats URL hear  the same with a stream that tells what it keeps, as that of jetstream_history does; answers when it has heard all, too
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

void reply(natsConnection* nats, natsSubscription*, natsMsg* m, void*) {
  must(natsConnection_Publish(nats, natsMsg_GetReply(m), natsMsg_GetData(m),
                              natsMsg_GetDataLength(m)));
  natsMsg_Destroy(m);
}

void ask(natsConnection* nats, std::uint64_t count) {
  std::string bytes(length, 'x');
  for (; count > 0; --count) {
    std::memcpy(bytes.data(), &count, sizeof count);
    natsMsg* m = nullptr;
    must(
      natsConnection_Request(&m, nats, "echo", bytes.data(), static_cast<int>(bytes.size()), 5000));
    if (bytes
        != std::string(natsMsg_GetData(m), static_cast<std::size_t>(natsMsg_GetDataLength(m)))) {
      answer("wrong");
      std::_Exit(1);
    }
    natsMsg_Destroy(m);
  }
  answer();
}

void not_kept(jsCtx*, jsPubAckErr*, void*) {
  answer("not kept");
  std::_Exit(1);
}

struct hearer {
  std::uint64_t heard = 0;
  std::atomic<std::uint64_t> wanted{0};
  std::atomic<bool> done{false};
};

void heard(natsConnection*, natsSubscription*, natsMsg* m, void* closure) {
  auto& h = *static_cast<hearer*>(closure);
  if (natsMsg_GetDataLength(m) != static_cast<int>(length)) {
    answer("wrong");
    std::_Exit(1);
  }
  natsMsg_Destroy(m);
  if (++h.heard == h.wanted) {
    h.done = true;
    h.done.notify_one();
  }
}

void append(natsConnection* nats, std::uint64_t count, std::int64_t most, hearer* by) {
  if (by != nullptr) {
    by->done = false;
    by->wanted += count;
  }
  jsOptions options;
  must(jsOptions_Init(&options));
  options.PublishAsync.MaxPending = most;
  options.PublishAsync.ErrHandler = not_kept;
  options.PublishAsync.StallWait = 30'000;
  jsCtx* js = nullptr;
  must(natsConnection_JetStream(&js, nats, &options));
  std::string bytes(length, 'x');
  for (std::uint64_t i = 0; i < count; ++i) {
    std::memcpy(bytes.data(), &i, sizeof i);
    if (most == 1)
      must(js_Publish(nullptr, js, "rooms.room", bytes.data(), static_cast<int>(length), nullptr,
                      nullptr));
    else
      must(js_PublishAsync(js, "rooms.room", bytes.data(), static_cast<int>(length), nullptr));
  }
  must(js_PublishAsyncComplete(js, nullptr));
  jsCtx_Destroy(js);
  if (by != nullptr)
    by->done.wait(false);
  answer();
}

// As jetstream_history has it, but that nobody hears of what is kept unless it is told.
void make_stream(natsConnection* nats, bool told) {
  jsCtx* js = nullptr;
  must(natsConnection_JetStream(&js, nats, nullptr));
  jsStreamConfig stream;
  must(jsStreamConfig_Init(&stream));
  const char* subjects[] = {"rooms.*"};
  stream.Name = "rooms";
  stream.Subjects = subjects;
  stream.SubjectsLen = 1;
  stream.Storage = js_FileStorage;
  stream.MaxMsgsPerSubject = 1000;
  jsRePublish live;
  must(jsRePublish_Init(&live));
  live.Source = "rooms.>";
  live.Destination = "live.>";
  if (told) {
    stream.RePublish = &live;
    stream.Duplicates = 120'000'000'000;
  }
  must(js_AddStream(nullptr, js, &stream, nullptr, nullptr));
  jsCtx_Destroy(js);
}

} // namespace

int main(int argc, char** argv) {
  if (argc != 3)
    return 2;
  const std::string role = argv[2];
  const bool takes = role == "sub";
  natsConnection* nats = nullptr;
  natsSubscription* sub = nullptr;
  must(natsConnection_ConnectTo(&nats, argv[1]));
  const bool hears = role == "hear";
  taker t;
  hearer h;
  if (takes)
    must(natsConnection_Subscribe(&sub, nats, "room", took, &t));
  else if (role == "rep")
    must(natsConnection_Subscribe(&sub, nats, "echo", reply, nullptr));
  else if (role == "keep" || hears)
    make_stream(nats, hears);
  else if (role == "pub")
    must(natsConnection_SubscribeSync(&sub, nats, "acks"));
  if (hears)
    must(natsConnection_Subscribe(&sub, nats, "live.room", heard, &h));
  must(natsConnection_FlushTimeout(nats, 10'000));
  answer("connected");
  std::string bytes(length, 'x');
  std::uint64_t sent = 0, acknowledged = 0;
  for (std::string line; std::getline(std::cin, line);) {
    std::size_t end_of_count = 0;
    const auto numbers = line.substr(line.find(' ') + 1);
    const auto count = std::stoull(numbers, &end_of_count);
    if (role == "req") {
      ask(nats, count);
      continue;
    }
    if (role == "keep" || hears) {
      append(nats, count, std::stoll(numbers.substr(end_of_count)), hears ? &h : nullptr);
      continue;
    }
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
