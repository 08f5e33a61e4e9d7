#include "troupe/below/below.hpp"

#include <troupe/runtime/lowest.hpp>

int troupe::below() {
  return lowest() + COUNTS_BY;
}
