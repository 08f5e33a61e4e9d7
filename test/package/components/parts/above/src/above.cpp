#include "troupe/above/above.hpp"

int troupe::above() {
  return below() + COUNTS_BY;
}
