#pragma once

// What every transport does alike, as its protocol and its peer see it: one suite, in the files
// transport_*_test.hpp. Each is included by a test that has defined `transports`, a std::tuple of
// adaptors (subject.hpp tells what one is).

#include <troupe/runtime/failure.hpp>

#include "support/catch.hpp"
#include "support/subject.hpp"

#define TRANSPORT_TEST(name, tags) TEMPLATE_LIST_TEST_CASE(name, tags, transports)

using namespace troupe;
using namespace troupe::testing;

namespace {

using script = subject::script;
using list = std::vector<std::string>;

const std::string done = subject::lost(errc::connection_done);
const std::string aborted = subject::lost(errc::connection_aborted);

} // namespace
