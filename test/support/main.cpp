// The main function of the test programs.

#ifdef TROUPE_CATCH2_V3
#include <catch2/catch_session.hpp>
#else
#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>
#endif

#include <cstdlib>
#include <memory>

#include <spdlog/sinks/null_sink.h>
#include <spdlog/spdlog.h>

#include <troupe/testing/leak_listener.hpp>

using troupe::testing::leak_listener;
CATCH_REGISTER_LISTENER(leak_listener)

int main(int argc, char** argv) {
  // Silent unless asked: TROUPE_TEST_LOG=1 shows what the code under test logs.
  if (std::getenv("TROUPE_TEST_LOG") == nullptr)
    spdlog::set_default_logger(
      std::make_shared<spdlog::logger>("", std::make_shared<spdlog::sinks::null_sink_mt>()));
  return Catch::Session().run(argc, argv);
}
