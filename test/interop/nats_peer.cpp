// The client of the NATS project in C (libnats), as the peer of ours.
//
//   nats_peer sub URL PATTERN COUNT      prints "ready", and then messages
//   nats_peer pub URL SUBJECT TEXT COUNT
//   nats_peer request URL SUBJECT TEXT   prints the answer
//   nats_peer reply URL SUBJECT          prints "ready", and answers one request with its text twice

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include <nats/nats.h>

namespace {

void must(natsStatus s) {
  if (s == NATS_OK)
    return;
  std::fprintf(stderr, "nats_peer: %s\n", natsStatus_GetText(s));
  std::exit(1);
}

std::string text_of(natsMsg* m) {
  return {natsMsg_GetData(m), static_cast<std::size_t>(natsMsg_GetDataLength(m))};
}

void say(const std::string& text) {
  std::printf("%s\n", text.c_str());
  std::fflush(stdout);
}

} // namespace

int main(int argc, char** argv) {
  if (argc < 4)
    return 2;
  const std::string what = argv[1];
  natsConnection* nats = nullptr;
  natsSubscription* sub = nullptr;
  natsMsg* m = nullptr;
  must(natsConnection_ConnectTo(&nats, argv[2]));
  if (what == "pub" && argc == 6) {
    for (int i = std::atoi(argv[5]); i > 0; --i)
      must(natsConnection_PublishString(nats, argv[3], argv[4]));
    must(natsConnection_FlushTimeout(nats, 10'000));
  } else if (what == "request" && argc == 5) {
    must(natsConnection_RequestString(&m, nats, argv[3], argv[4], 10'000));
    say(text_of(m));
    natsMsg_Destroy(m);
  } else if ((what == "sub" && argc == 5) || (what == "reply" && argc == 4)) {
    must(natsConnection_SubscribeSync(&sub, nats, argv[3]));
    must(natsConnection_FlushTimeout(nats, 10'000));
    say("ready");
    for (int i = argc == 5 ? std::atoi(argv[4]) : 1; i > 0; --i) {
      must(natsSubscription_NextMsg(&m, sub, 30'000));
      if (what == "sub") {
        const char* value = nullptr;
        const bool headed = natsMsgHeader_Get(m, "Key", &value) == NATS_OK;
        say(std::string{natsMsg_GetSubject(m)} + ' ' + text_of(m)
            + (headed ? std::string{" Key="} + value : ""));
      } else {
        must(natsConnection_PublishString(nats, natsMsg_GetReply(m),
                                          (text_of(m) + text_of(m)).c_str()));
        must(natsConnection_FlushTimeout(nats, 10'000));
      }
      natsMsg_Destroy(m);
    }
  } else {
    return 2;
  }
  natsSubscription_Destroy(sub);
  natsConnection_Destroy(nats);
  nats_Close();
}
