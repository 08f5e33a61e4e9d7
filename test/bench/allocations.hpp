#pragma once

// Counts what operator new hands out. For a program of one source file.

#include <cstddef>
#include <cstdlib>
#include <new>

namespace bench {
inline std::size_t allocations = 0;
}

// Not inlined: GCC would take the pair for a mismatch of new and free.
[[gnu::noinline]] void* operator new(std::size_t size) {
  ++bench::allocations;
  if (void* p = std::malloc(size))
    return p;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* p) noexcept {
  std::free(p);
}
[[gnu::noinline]] void operator delete(void* p, std::size_t) noexcept {
  std::free(p);
}
