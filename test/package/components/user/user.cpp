#include <troupe/above.hpp>

int main() {
  return troupe::above() == 5 ? 0 : 1;
}
