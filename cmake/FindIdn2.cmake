# Finds libidn2, names of hosts that are not ASCII. Target: Idn2::idn2.
include(FindPackageHandleStandardArgs)

find_path(IDN2_INCLUDE_DIR idn2.h)
find_library(IDN2_LIBRARY idn2)
set(IDN2_VERSION)
if(IDN2_INCLUDE_DIR)
  file(STRINGS "${IDN2_INCLUDE_DIR}/idn2.h" IDN2_VERSION REGEX "define IDN2_VERSION \"")
  string(REGEX REPLACE ".*\"([0-9.]+).*" "\\1" IDN2_VERSION "${IDN2_VERSION}")
endif()
find_package_handle_standard_args(Idn2 REQUIRED_VARS IDN2_LIBRARY IDN2_INCLUDE_DIR VERSION_VAR IDN2_VERSION)

if(Idn2_FOUND AND NOT TARGET Idn2::idn2)
  add_library(Idn2::idn2 UNKNOWN IMPORTED)
  set_target_properties(Idn2::idn2 PROPERTIES
    IMPORTED_LOCATION "${IDN2_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${IDN2_INCLUDE_DIR}")
endif()
mark_as_advanced(IDN2_INCLUDE_DIR IDN2_LIBRARY)
