#pragma once

// The transports over what the system has, for the suite of transports.

#include <tuple>

#include "support/pipe_adaptors.hpp"
#include "support/socket_adaptors.hpp"

using transports = std::tuple<troupe::testing::over_tcp, troupe::testing::over_unix,
                              troupe::testing::over_unix_with_descriptors,
                              troupe::testing::over_tls, troupe::testing::over_process,
                              troupe::testing::over_stdio, troupe::testing::over_stdio_socket>;
