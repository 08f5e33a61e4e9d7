// The traps of the guide, each as it is fallen into and as it is avoided: traps views wrong

#include <string>

#include "blocking.hpp"
#include "captures.hpp"
#include "mailboxes.hpp"
#include "order.hpp"
#include "shutdown.hpp"
#include "views.hpp"

int main(int, char** argv) {
  const std::string trap = argv[1];
  const bool right = argv[2] == std::string{"right"};
  if (trap == "blocking")
    return run_with_tick(right ? answer_from_thread : answer_at_once);
  if (trap == "mailboxes")
    return run_jobs(right ? send_some : send_all);
  if (trap == "shutdown")
    return run_journal(right ? use_and_flush : just_use);
  if (trap == "views")
    right ? deliver_two_lines<good_log>() : deliver_two_lines<forgetful_log>();
  else if (trap == "captures")
    run_greeting(right ? greet_from_function : greet_from_lambda);
  else if (trap == "order")
    run_auction(right ? open_by_topic : open_by_message);
}
