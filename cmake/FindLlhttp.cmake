# Finds llhttp, the parser of HTTP messages that Node uses. Target: Llhttp::llhttp.
#
# Where there is a library (Debian 13: libllhttp-dev), that is the target. Debian 12 has its generated
# sources instead (node-llhttp), which the target's property LLHTTP_SOURCES names: whoever uses it compiles them
# into its own library, with LLHTTP_STRICT_MODE=1, and the target has the folder of the header alone.
include(FindPackageHandleStandardArgs)

find_path(LLHTTP_INCLUDE_DIR llhttp.h PATH_SUFFIXES llhttp PATHS /usr/share/include)
find_library(LLHTTP_LIBRARY llhttp)
find_path(LLHTTP_SOURCE_DIR llhttp.c PATHS /usr/share/llhttp NO_DEFAULT_PATH)
if(LLHTTP_LIBRARY)
  find_package_handle_standard_args(Llhttp REQUIRED_VARS LLHTTP_LIBRARY LLHTTP_INCLUDE_DIR)
else()
  find_package_handle_standard_args(Llhttp REQUIRED_VARS LLHTTP_SOURCE_DIR LLHTTP_INCLUDE_DIR)
endif()

if(Llhttp_FOUND AND NOT TARGET Llhttp::llhttp)
  add_library(Llhttp::llhttp INTERFACE IMPORTED)
  set_target_properties(Llhttp::llhttp PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${LLHTTP_INCLUDE_DIR}")
  if(NOT LLHTTP_LIBRARY)
    set_property(TARGET Llhttp::llhttp PROPERTY LLHTTP_SOURCES "${LLHTTP_SOURCE_DIR}/api.c"
                 "${LLHTTP_SOURCE_DIR}/http.c" "${LLHTTP_SOURCE_DIR}/llhttp.c")
  else()
    set_target_properties(Llhttp::llhttp PROPERTIES INTERFACE_LINK_LIBRARIES "${LLHTTP_LIBRARY}")
  endif()
endif()
mark_as_advanced(LLHTTP_INCLUDE_DIR LLHTTP_LIBRARY LLHTTP_SOURCE_DIR)
