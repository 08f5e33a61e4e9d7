#include "support/memory_transports.hpp"

#include "support/transport_directions_test.hpp"
