# Finds standalone Asio, which is headers only. Target: Asio::asio.
include(FindPackageHandleStandardArgs)

find_path(ASIO_INCLUDE_DIR asio/version.hpp)
if(ASIO_INCLUDE_DIR)
  # ASIO_VERSION is major * 100000 + minor * 100 + patch.
  file(STRINGS "${ASIO_INCLUDE_DIR}/asio/version.hpp" asio_line REGEX "^#define ASIO_VERSION [0-9]+")
  string(REGEX REPLACE "[^0-9]*([0-9]+).*" "\\1" asio_number "${asio_line}")
  math(EXPR asio_major "${asio_number} / 100000")
  math(EXPR asio_minor "${asio_number} / 100 % 1000")
  math(EXPR asio_patch "${asio_number} % 100")
  set(ASIO_VERSION "${asio_major}.${asio_minor}.${asio_patch}")
endif()
find_package_handle_standard_args(Asio REQUIRED_VARS ASIO_INCLUDE_DIR VERSION_VAR ASIO_VERSION)

if(Asio_FOUND AND NOT TARGET Asio::asio)
  find_package(Threads REQUIRED)
  add_library(Asio::asio INTERFACE IMPORTED)
  set_target_properties(Asio::asio PROPERTIES
    INTERFACE_INCLUDE_DIRECTORIES "${ASIO_INCLUDE_DIR}"
    # Whether Asio finds std::aligned_alloc depends on what is included before it; with both in one
    # program, memory of one kind is freed as the other.
    INTERFACE_COMPILE_DEFINITIONS "ASIO_STANDALONE;ASIO_DISABLE_STD_ALIGNED_ALLOC"
    INTERFACE_LINK_LIBRARIES Threads::Threads)
endif()
mark_as_advanced(ASIO_INCLUDE_DIR)
