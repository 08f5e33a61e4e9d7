#include "troupe/runtime/lowest.hpp"

int troupe::lowest() {
  return 1;
}
