# Finds libpsl, the public suffix list. Target: Psl::psl.
include(FindPackageHandleStandardArgs)

find_path(PSL_INCLUDE_DIR libpsl.h)
find_library(PSL_LIBRARY psl)
set(PSL_VERSION)
if(PSL_INCLUDE_DIR)
  file(STRINGS "${PSL_INCLUDE_DIR}/libpsl.h" PSL_VERSION REGEX "define PSL_VERSION \"")
  string(REGEX REPLACE ".*\"([0-9.]+).*" "\\1" PSL_VERSION "${PSL_VERSION}")
endif()
find_package_handle_standard_args(Psl REQUIRED_VARS PSL_LIBRARY PSL_INCLUDE_DIR VERSION_VAR PSL_VERSION)

if(Psl_FOUND AND NOT TARGET Psl::psl)
  add_library(Psl::psl UNKNOWN IMPORTED)
  set_target_properties(Psl::psl PROPERTIES
    IMPORTED_LOCATION "${PSL_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${PSL_INCLUDE_DIR}")
endif()
mark_as_advanced(PSL_INCLUDE_DIR PSL_LIBRARY)
