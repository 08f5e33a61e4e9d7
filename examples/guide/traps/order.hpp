#pragma once

#include <cstdio>
#include <string>

#include <troupe/actors/topic.hpp>
#include <troupe/net/protocol.hpp>
#include <troupe/testing/protocol_fixture.hpp>

/// Somebody at an auction, who reads what is published and what is sent.
class bidder : public troupe::protocol {
public:
  using protocol::protocol;
  caf::behavior make_behavior() override {
    return {[this](const std::string& text) {
      transport().write(text);
    }};
  }
};

// [wrong]
inline void open_by_message(const caf::actor& bidder, const troupe::topic& auction) {
  caf::anon_send(bidder, std::string{"the auction is open\n"}); // waits in the mailbox
  auction.publish("somebody bids 10\n");                        // goes straight to the output
}
// [/wrong]

// [right]
inline void open_by_topic(const caf::actor&, const troupe::topic& auction) {
  auction.publish("the auction is open\n"); // what one publishes arrives in that order
  auction.publish("somebody bids 10\n");
}
// [/right]

inline void run_auction(void (*open)(const caf::actor&, const troupe::topic&)) {
  troupe::testing::protocol_fixture<bidder> t;
  const troupe::topic auction{t.rt};
  t.enter([&] { auction.subscribe(&*t); });
  t.enter([&] { open(t.actor(), auction); });
  t.settle();
  std::fputs(t.transport.value().c_str(), stdout);
}
