#include "jetstream_link.hpp"

#include <string>

#include <troupe/nats/nats_subject.hpp>

#include "support/catch.hpp"

using namespace troupe;
using troupe::detail::subject_token;
using troupe::detail::token_text;

TEST_CASE("any name is one token of a subject, and comes back from it", "[history]") {
  std::string all;
  for (int c = 0; c < 256; ++c)
    all += static_cast<char>(c);
  CHECK(token_text(subject_token(all)) == all);
  CHECK(subject_token("lobby-1_A") == "lobby-1_A");
  CHECK(subject_token("a.b *>%") == "a%2Eb%20%2A%3E%25");
  CHECK(valid_nats_subject("rooms." + subject_token(all.substr(0, 200))));
  for (const auto* bad : {"%", "%4", "%zz", "a.b", " ", "%-1"}) {
    INFO(bad);
    CHECK_FALSE(token_text(bad));
  }
}
