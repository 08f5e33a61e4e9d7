#include "support/memory_transports.hpp"

#include "support/transport_ends_test.hpp"
