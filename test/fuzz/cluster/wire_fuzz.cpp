// What other nodes send, read as a node reads it.

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include <troupe/runtime/bytes.hpp>

#include "wire.hpp"

using namespace troupe::detail;

namespace {

void must(bool holds) {
  if (!holds)
    std::abort();
}

void read_all_publications(wire::reader& in) {
  const auto before = wire::read_publications(in);
  if (!before)
    return;
  must(before->stream != 0);
  std::size_t topics = 0, named = 0;
  while (const auto next = wire::read_publication(in, topics)) {
    named += next->name.empty() ? 0 : 1;
    must(named == topics);
    must(next->topic < topics);
    must(!next->bytes.empty());
    must(next->name.size() <= wire::longest_topic);
  }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  wire::reader in{{reinterpret_cast<const std::byte*>(data), size}};
  std::uint8_t version = 0;
  const auto h = wire::read_header(in, version);
  if (!h)
    return 0;
  must(h->boot != 0 && h->incarnation != 0 && h->incarnation < wire::incarnation_limit);
  switch (h->what) {
  case wire::kind::beat:
    if (const auto b = wire::read_beat(in)) {
      must(b->version.size() <= wire::longest_version);
      must(b->sent.size() % wire::sent_record::size == 0);
      if (const auto found = wire::find_sent(b->sent, 7))
        must(found->boot == 7);
    }
    break;
  case wire::kind::interest:
    if (wire::read_interest(in))
      while (!in.at_end()) {
        static_cast<void>(in.u8());
        static_cast<void>(in.text());
      }
    break;
  case wire::kind::publications:
    read_all_publications(in);
    break;
  case wire::kind::facts:
    if (wire::read_interest(in))
      while (const auto next = wire::read_fact(in)) {
        must(!next->key.empty());
        must(next->there || next->value.empty());
        must(next->value.size() <= wire::longest_fact);
      }
    break;
  case wire::kind::question:
    if (const auto q = wire::read_question(in))
      must(!q->name.empty() && q->name.size() <= wire::longest_topic);
    break;
  case wire::kind::answer:
    if (const auto a = wire::read_answer(in))
      must(a->number != 0);
    break;
  default:
    static_cast<void>(in.u64());
    static_cast<void>(in.text());
    break;
  }
  must(in.ok() || in.at_end()); // nothing is read behind what was wrong
  return 0;
}
