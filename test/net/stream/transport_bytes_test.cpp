#include "support/memory_transports.hpp"

#include "support/transport_bytes_test.hpp"
