# troupe_web_files(<target> <namespace> <file>...)
#
# Compiles files for browsers into a target, as they are: `std::string_view web_file(std::string_view name)` in
# this namespace returns one by its name without folders, and nothing where there is none of that name. No
# file may have )troupe-web" in it. A changed file is seen by the next build.
function(troupe_web_files target namespace)
  set(files)
  foreach(file IN LISTS ARGN)
    get_filename_component(file "${file}" ABSOLUTE)
    get_filename_component(name "${file}" NAME)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${file}")
    file(READ "${file}" text)
    string(APPEND files "  if (name == \"${name}\")\n    return R\"troupe-web(${text})troupe-web\";\n")
  endforeach()
  set(made "${CMAKE_CURRENT_BINARY_DIR}/${target}_web.cpp")
  configure_file("${PROJECT_SOURCE_DIR}/cmake/web_files.cpp.in" "${made}" @ONLY)
  target_sources(${target} PRIVATE "${made}")
endfunction()
