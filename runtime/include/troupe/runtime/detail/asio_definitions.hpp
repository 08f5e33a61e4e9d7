#pragma once

// Asio is used as headers, so every source of a program must see it with the definitions that the
// libraries were compiled with. The CMake targets and the pkg-config files bring them.
#ifndef ASIO_STANDALONE
#error "Troupe needs -DASIO_STANDALONE: use its CMake targets, or `pkg-config --cflags troupe`"
#endif
// Whether Asio finds std::aligned_alloc depends on what is included before it; with both in one
// program, memory of one kind is freed as the other.
#ifndef ASIO_DISABLE_STD_ALIGNED_ALLOC
#error                                                                                             \
  "Troupe needs -DASIO_DISABLE_STD_ALIGNED_ALLOC: use its CMake targets, or `pkg-config --cflags troupe`"
#endif
