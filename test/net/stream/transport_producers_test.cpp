#include "support/memory_transports.hpp"

#include "support/transport_producers_test.hpp"
