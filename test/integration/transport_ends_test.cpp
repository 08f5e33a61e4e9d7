#include "support/system_transports.hpp"

#include "support/transport_ends_test.hpp"
