#include "support/system_transports.hpp"

#include "support/transport_producers_test.hpp"
