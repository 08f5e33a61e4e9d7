// What JetStream is told, and what is made of its answers.

#include "jetstream_json.hpp"

#include <troupe/nats/nats_errc.hpp>

#include "support/catch.hpp"

using namespace troupe;
using namespace troupe::detail::jetstream_json;
using namespace std::chrono_literals;

TEST_CASE("a stream is told in the server's words, and read back") {
  const auto text =
    text_of(stream_config{.name = "S", .subjects = {"a.>"}, .max_messages = 5, .max_age = 1s});
  for (const char* part :
       {R"("name":"S")", R"("subjects":["a.>"])", R"("max_msgs":5)", R"("max_bytes":-1)",
        R"("max_age":1000000000)", R"("storage":"file")", R"("discard":"old")"})
    CHECK(text.find(part) != std::string::npos);
  const auto i =
    stream_of(
      R"({"config":{"name":"S","subjects":["a"],"storage":"memory","max_msgs":-1,"max_age":7},
                               "created":"2023","state":{"messages":3,"first_seq":2,"last_seq":4,"consumer_count":1}})")
      .value();
  CHECK(i.config.storage == stream_storage::memory);
  CHECK(i.config.max_messages == 0);
  CHECK(i.config.max_age == 7ns);
  CHECK((i.messages == 3 && i.first_sequence == 2 && i.last_sequence == 4 && i.consumers == 1));
}

TEST_CASE("errors have names, and other answers are refused") {
  const auto error = [](int number) {
    return ack_of(R"({"error":{"code":400,"err_code":)" + std::to_string(number)
                  + R"(,"description":"why"}})")
      .error();
  };
  CHECK(error(10071).check(nats_errc::wrong_last_sequence));
  CHECK(error(10071).message().find("why (10071)") != std::string::npos);
  CHECK(error(10059).check(nats_errc::stream_not_found));
  CHECK(error(10014).check(nats_errc::consumer_not_found));
  CHECK(error(10037).check(nats_errc::message_not_found));
  CHECK(error(10058).check(nats_errc::stream_exists));
  CHECK(error(10158).check(nats_errc::id_in_process));
  CHECK(
    ack_of(R"({"stream":"S","seq":0,"duplicate": true})").error().check(nats_errc::id_in_process));
  CHECK(error(10039).check(nats_errc::jetstream_unavailable));
  CHECK(error(1).check(nats_errc::jetstream_error));
  for (const char* bad : {"", "{", "[]", "{}", R"({"stream":"S"})", R"({"stream":1,"seq":1})",
                          R"({"stream":"S","seq":-1})"}) {
    INFO(bad);
    CHECK(ack_of(bad).error().check(errc::malformed_input));
    CHECK(stream_of(bad).error().check(errc::malformed_input));
    CHECK(consumer_of(bad).error().check(errc::malformed_input));
    CHECK(message_of(bad).error().check(errc::malformed_input));
    CHECK(success_of(bad).error().check(errc::malformed_input));
  }
  CHECK(ack_of(R"({"stream":"S","seq":7,"duplicate":true})").value().duplicate);
  CHECK(
    message_of(
      R"({"message":{"subject":"a","seq":1,"data":"aGk=","hdrs":"TkFUUy8xLjANCkE6IDENCg0K","time":"t"}})")
      .value()
      .headers.get("A")
    == "1");
  CHECK(!message_of(R"({"message":{"subject":"a","seq":1,"data":"a"}})").has_value());
}

TEST_CASE(
  "acknowledgements read as the server writes them, and in any other way that JSON allows") {
  const auto whole = [](const publish_ack& a) {
    return a.stream + ' ' + std::to_string(a.sequence) + (a.duplicate ? " again" : "");
  };
  CHECK(whole(ack_of(R"({"stream":"rooms", "seq":18446744073709551615})").value())
        == "rooms 18446744073709551615");
  for (const char* same :
       {R"({"stream":"S", "seq":70})", R"({"stream":"S","seq":70})", R"({"seq":70,"stream":"S"})",
        R"( {"stream":"S", "seq":70})", R"({"stream":"S", "domain":"hub", "seq":70})",
        R"({"stream":"\u0053", "seq":70})", R"({"stream":"S", "seq":70,"duplicate":false})",
        R"({"stream":"S", "seq":70 })", R"({"stream":"S", "seq":70,"duplicate":1})"}) {
    INFO(same);
    CHECK(whole(ack_of(same).value()) == "S 70");
  }
  for (const char* same : {R"({"stream":"S", "seq":70,"duplicate": true})",
                           R"({"stream":"S", "duplicate":true, "seq":70})",
                           R"({"stream":"S", "seq":70,"duplicate": true,"more":{}})"}) {
    INFO(same);
    CHECK(whole(ack_of(same).value()) == "S 70 again");
  }
  for (const char* bad :
       {R"({"stream":"", "seq":7})", R"({"stream":"S", "seq":0})", R"({"stream":"S", "seq":07})",
        R"({"stream":"S", "seq":7.5})", R"({"stream":"S", "seq":7)", R"({"stream":"S", "seq":7}})",
        R"({"stream":"S", "seq":18446744073709551616})", R"({"stream":"S)",
        "{\"stream\":\"\n\", \"seq\":7}", "{\"stream\":\"\xff\", \"seq\":7}",
        R"({"stream":"S", "seq":})"}) {
    INFO(bad);
    CHECK(ack_of(bad).error().check(errc::malformed_input));
  }
}

TEST_CASE("the subject for an answer tells where a message stands") {
  jetstream_message m;
  CHECK(read_ack_subject("$JS.ACK.S.C.2.30.4.1700000000000000000.6", m));
  CHECK(m.stream == "S");
  CHECK(m.consumer == "C");
  CHECK((m.deliveries == 2 && m.sequence == 30 && m.consumer_sequence == 4 && m.pending == 6));
  CHECK(m.time == 1700000000000000000);
  CHECK(read_ack_subject("$JS.ACK.hub.ACCHASH.S2.C.2.30.4.1.6.random", m));
  CHECK(m.stream == "S2");
  for (const char* bad :
       {"", "a", "$JS.ACK.S.C.2.30.4.1", "$JS.ACK.S.C.x.30.4.1.6", "$JS.NAK.S.C.2.30.4.1.6",
        "$JS.ACK.S.C.2.30.4.1.99999999999999999999", "$JS.ACK.S.C.2.30.4.1.6.7"})
    CHECK_FALSE(read_ack_subject(bad, m));
}
