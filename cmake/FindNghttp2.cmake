# Finds nghttp2, the frames and the header compression of HTTP/2. Target: Nghttp2::nghttp2.
include(FindPackageHandleStandardArgs)

find_path(NGHTTP2_INCLUDE_DIR nghttp2/nghttp2.h)
find_library(NGHTTP2_LIBRARY nghttp2)
set(NGHTTP2_VERSION)
if(NGHTTP2_INCLUDE_DIR)
  file(STRINGS "${NGHTTP2_INCLUDE_DIR}/nghttp2/nghttp2ver.h" NGHTTP2_VERSION REGEX "define NGHTTP2_VERSION \"")
  string(REGEX REPLACE ".*\"([0-9.]+).*" "\\1" NGHTTP2_VERSION "${NGHTTP2_VERSION}")
endif()
find_package_handle_standard_args(Nghttp2 REQUIRED_VARS NGHTTP2_LIBRARY NGHTTP2_INCLUDE_DIR
                                  VERSION_VAR NGHTTP2_VERSION)

if(Nghttp2_FOUND AND NOT TARGET Nghttp2::nghttp2)
  add_library(Nghttp2::nghttp2 UNKNOWN IMPORTED)
  set_target_properties(Nghttp2::nghttp2 PROPERTIES
    IMPORTED_LOCATION "${NGHTTP2_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${NGHTTP2_INCLUDE_DIR}")
endif()
mark_as_advanced(NGHTTP2_INCLUDE_DIR NGHTTP2_LIBRARY)
