#pragma once

#include <chrono>
#include <cstdint>

namespace troupe::detail {

/// Tells the processor that this thread waits for another one in a loop, which saves power and lets
/// the other half of the core go first.
inline void cpu_relax() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__arm__)
  asm volatile("yield" ::: "memory");
#else
  asm volatile("" ::: "memory");
#endif
}

/// Returns a number that grows with time at some rate of the processor's own. Reading it takes some
/// 8 ns and one instruction, a third of a look at the clock. It may jump where a thread changes its
/// core: it tells when to look at the clock, not what that says.
inline std::uint64_t cpu_ticks() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
  std::uint64_t ticks;
  asm volatile("mrs %0, cntvct_el0" : "=r"(ticks));
  return ticks;
#else
  return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
#endif
}

/// Returns how far `cpu_ticks` comes in some 100 us: it is between 50 and 250.
inline std::uint64_t cpu_ticks_of_100_us() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  return std::uint64_t{1} << 18; // at 1 to 5 GHz
#elif defined(__aarch64__)
  std::uint64_t a_second;
  asm volatile("mrs %0, cntfrq_el0" : "=r"(a_second));
  return a_second / 10'000;
#else
  return 100'000;
#endif
}

} // namespace troupe::detail
