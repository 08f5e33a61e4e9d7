// The suite of transports, over the system's.

#include <tuple>

#include "support/catch.hpp"
#include "support/socket_adaptors.hpp"

using transports =
  std::tuple<troupe::testing::over_tcp, troupe::testing::over_unix,
             troupe::testing::over_unix_with_descriptors, troupe::testing::over_tls>;

#include "support/transport_suite_test.hpp"
