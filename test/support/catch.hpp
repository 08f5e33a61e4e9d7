#pragma once

// Catch2 2 and 3 differ in where their headers lie.
#ifdef TROUPE_CATCH2_V3
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif
