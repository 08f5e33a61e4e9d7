#include "wire.hpp"

#include <random>
#include <string>

#include "support/catch.hpp"

using namespace troupe;
using namespace troupe::detail;

namespace {

wire::header from(wire::kind what) {
  return {what, 0x1122334455667788, 42};
}

/// Reads a message as a node does, whatever it is, and returns whether all of it made sense.
bool read(bytes_view message) {
  wire::reader in{message};
  std::uint8_t other = 0;
  const auto h = wire::read_header(in, other);
  if (!h)
    return false;
  switch (h->what) {
  case wire::kind::beat: {
    const auto b = wire::read_beat(in);
    if (!b)
      return false;
    if (const auto sent = wire::find_sent(b->sent, 7); sent && sent->boot != 7)
      FAIL("what was sent to another process was found");
    return true;
  }
  case wire::kind::interest:
    if (!wire::read_interest(in))
      return false;
    while (!in.at_end()) {
      static_cast<void>(in.u8());
      if (in.text().empty())
        return false;
    }
    return in.ok();
  case wire::kind::publications: {
    if (!wire::read_publications(in))
      return false;
    std::size_t topics = 0;
    while (const auto next = wire::read_publication(in, topics))
      if (next->bytes.empty() || next->topic >= topics)
        FAIL("a publication that is none was read");
    return in.ok();
  }
  case wire::kind::facts:
    if (!wire::read_interest(in))
      return false;
    while (const auto next = wire::read_fact(in))
      if (next->key.empty() || next->value.size() > wire::longest_fact)
        FAIL("a fact that is none was read");
    return in.ok();
  case wire::kind::question:
    return wire::read_question(in).has_value();
  case wire::kind::answer:
    return wire::read_answer(in).has_value();
  default:
    static_cast<void>(in.u64());
    static_cast<void>(in.u64());
    return in.ok();
  }
}

std::vector<std::string> samples() {
  std::vector<std::string> all;
  std::string sent;
  for (std::uint64_t boot : {3, 7, 9})
    wire::append(sent, {boot, boot * 10, boot * 100});
  wire::writer beat{from(wire::kind::beat)};
  wire::write(beat, wire::beat{1, 500, 12, "1.2.3", sent});
  wire::writer interest{from(wire::kind::interest)};
  wire::write(interest, wire::interest{3, 0, 0, 2});
  interest.u8(1).text("lobby").u8(0).text("kitchen");
  wire::writer publications{from(wire::kind::publications)};
  wire::write(publications, wire::publications{7, 1, 1000});
  publications.varint(0).text("lobby").varint(5).raw("hello");
  publications.varint(1).text("kitchen").varint(200).raw(std::string(200, 'x'));
  publications.varint(0).varint(1).raw("!");
  wire::writer facts{from(wire::kind::facts)};
  wire::write(facts, wire::interest{0, 0, 3, 5});
  facts.u8(1).text("\1users").varint(8).u64(4).u8(0).text("\3hall");
  wire::writer question{from(wire::kind::question)};
  wire::write(question, wire::question{7, 9, 5000, "users"});
  wire::writer answer{from(wire::kind::answer)};
  wire::write(answer, wire::answer{7, 9, true});
  for (const auto* one : {&beat, &interest, &publications, &facts, &question, &answer})
    all.emplace_back(as_text(one->view()));
  return all;
}

} // namespace

TEST_CASE("what is written is read", "[cluster][wire]") {
  const auto all = samples();
  std::uint8_t other = 0;
  {
    wire::reader in{as_bytes(all[0])};
    const auto h = wire::read_header(in, other);
    REQUIRE(h);
    CHECK(h->boot == 0x1122334455667788);
    CHECK(h->incarnation == 42);
    const auto b = wire::read_beat(in);
    REQUIRE(b);
    CHECK(b->period_ms == 500);
    CHECK(b->interest == 12);
    CHECK(b->version == "1.2.3");
    CHECK(wire::find_sent(b->sent, 7)->published == 700);
    CHECK(wire::find_sent(b->sent, 9)->stream == 90);
    CHECK_FALSE(wire::find_sent(b->sent, 8));
    CHECK_FALSE(wire::find_sent(b->sent, 10));
    CHECK_FALSE(wire::find_sent({}, 10));
  }
  wire::reader in{as_bytes(all[2])};
  REQUIRE(wire::read_header(in, other));
  CHECK(wire::read_publications(in)->first == 1000);
  std::size_t topics = 0;
  const auto first = wire::read_publication(in, topics);
  CHECK(first->name == "lobby");
  CHECK(first->bytes == "hello");
  CHECK(wire::read_publication(in, topics)->bytes.size() == 200);
  const auto third = wire::read_publication(in, topics);
  CHECK(third->topic == 0);
  CHECK(third->name.empty());
  CHECK(third->bytes == "!");
  CHECK_FALSE(wire::read_publication(in, topics));
  CHECK(in.ok());
}

TEST_CASE("a message that ends early is refused, wherever it ends", "[cluster][wire]") {
  for (const auto& whole : samples()) {
    CHECK(read(as_bytes(whole)));
    std::size_t whole_by_accident = 0; // between two topics, or two publications
    for (std::size_t size = 0; size < whole.size(); ++size)
      whole_by_accident += read(as_bytes(std::string_view{whole}.substr(0, size))) ? 1 : 0;
    CHECK(whole_by_accident <= 3);
  }
}

TEST_CASE("another version, an unknown kind, and numbers that nobody has are refused",
          "[cluster][wire]") {
  const auto refused = [](std::string message) {
    wire::reader in{as_bytes(message)};
    std::uint8_t other = 0;
    CHECK_FALSE(wire::read_header(in, other));
    return other;
  };
  auto message = samples()[0];
  message[0] = 2;
  CHECK(refused(message) == 2);
  message[0] = 1;
  message[1] = 77;
  CHECK(refused(message) == 0);
  CHECK(refused(std::string(18, '\0')) == 0);
  wire::writer too_great{{wire::kind::bye, 1, wire::incarnation_limit}};
  CHECK(refused(std::string{as_text(too_great.view())}) == 0);
}

TEST_CASE("what was changed at random never reads beyond the message", "[cluster][wire]") {
  std::mt19937 random{5};
  const auto all = samples();
  for (int i = 0; i < 200'000; ++i) {
    auto message = all[random() % all.size()];
    for (auto n = random() % 8; n-- > 0;)
      message[random() % message.size()] = static_cast<char>(random());
    message.resize(random() % (message.size() + 1));
    const std::string exact{message.data(), message.size()}; // so that a sanitizer sees its end
    static_cast<void>(read(as_bytes(exact)));
  }
}
