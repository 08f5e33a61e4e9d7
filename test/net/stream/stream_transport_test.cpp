#include <troupe/net/detail/stream_transport.hpp>

#include <troupe/testing/memory_network.hpp>

#include "loop_memory.hpp"
#include "support/catch.hpp"
#include "support/memory_adaptor.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

struct talker : protocol {
  talker(caf::actor_config& cfg, std::vector<talker*>* all, unsigned* lost)
    : protocol(cfg), all_(all), lost_(lost) {}
  void connection_made() override { all_->push_back(this); }
  void connection_lost(const failure& why) override {
    if (why.check(errc::output_limit_reached))
      ++*lost_;
  }

private:
  std::vector<talker*>* all_;
  unsigned* lost_;
};

} // namespace

TEST_CASE("of many peers that do not read a turn gives up so many, and the next turn others") {
  constexpr auto at_once = troupe::detail::loop_memory::drops_per_turn;
  std::vector<talker*> all;
  unsigned lost = 0;
  memory_network net;
  net.listen(7, factory::for_protocol<talker>(&all, &lost), {.output = {.hard = 1}});
  for (unsigned i = 0; i < 2 * at_once + 1; ++i)
    net.connect<memory_peer>(7);
  net.flush();
  REQUIRE(all.size() == 2 * at_once + 1);
  net.rt.in_turn([&] {
    for (auto* const p : all)
      p->enter([p] {
        p->transport().write(std::string(200'000, 'x')); // more than is on its way at most
        p->transport().write("too much");
      });
  });
  CHECK(lost == at_once);
  net.rt.in_turn([] {});
  CHECK(lost == 2 * at_once);
  net.rt.in_turn([] {});
  CHECK(lost == 2 * at_once + 1);
}
