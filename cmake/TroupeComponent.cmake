# troupe_component(<name> PUBLIC <libs> PRIVATE <libs>)
#
# Makes the library troupe_<name>, alias troupe::<name>, of this folder: src/**.cpp, with the headers
# below include/: installed, and each proved to compile alone. What lies in folders `testing` belongs
# to troupe::testing.
function(troupe_component name)
  cmake_parse_arguments(arg "" "" "PUBLIC;PRIVATE" ${ARGN})
  set(root "${CMAKE_CURRENT_SOURCE_DIR}")
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${root}/src/*.cpp")
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS "${root}/include/*.hpp")
  list(FILTER sources EXCLUDE REGEX "/src/testing/")
  list(FILTER headers EXCLUDE REGEX "/include/troupe/testing/")
  troupe_umbrella(${name} ${headers})
  troupe_library(${name} "${sources}" "${headers}" "${root}/include")
  target_link_libraries(troupe_${name} PUBLIC ${arg_PUBLIC} PRIVATE ${arg_PRIVATE})
  target_include_directories(troupe_${name} PRIVATE "${root}/src")
endfunction()

# troupe_wing(<name> SEES <wings> LIBRARIES <libs>)
#
# A part of a component, of this folder: its sources see their own headers and those of the wings that
# they name, with what those see; an include of any other does not compile. Inside the project it is
# troupe::<name>; outside, troupe_of_wings makes it part of its component.
function(troupe_wing name)
  cmake_parse_arguments(arg "" "" "SEES;LIBRARIES" ${ARGN})
  set(target troupe_${name})
  set(root "${CMAKE_CURRENT_SOURCE_DIR}")
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${root}/src/*.cpp")
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS "${root}/include/*.hpp")
  list(TRANSFORM arg_SEES PREPEND troupe_)
  add_library(${target} OBJECT ${sources})
  add_library(troupe::${name} ALIAS ${target})
  troupe_compiling(${target})
  target_link_libraries(${target} PUBLIC ${arg_SEES} ${arg_LIBRARIES})
  target_include_directories(${target} PUBLIC "${root}/src")
  target_sources(${target} PUBLIC FILE_SET HEADERS BASE_DIRS "${root}/include" FILES ${headers})
  set_target_properties(${target} PROPERTIES VERIFY_INTERFACE_HEADER_SETS ON)
endfunction()

# troupe_of_wings(<name> WINGS <wings> PUBLIC <libs> PRIVATE <libs>): the library of these wings.
function(troupe_of_wings name)
  cmake_parse_arguments(arg "" "" "WINGS;PUBLIC;PRIVATE" ${ARGN})
  foreach(wing IN LISTS arg_WINGS)
    list(APPEND objects $<TARGET_OBJECTS:troupe_${wing}>)
    get_target_property(some troupe_${wing} HEADER_SET)
    list(APPEND headers ${some})
    get_target_property(some troupe_${wing} HEADER_DIRS)
    list(APPEND bases ${some})
  endforeach()
  troupe_umbrella(${name} ${headers})
  troupe_library(${name} "${objects}" "${headers}" "${bases}")
  set_target_properties(troupe_${name} PROPERTIES VERIFY_INTERFACE_HEADER_SETS OFF # the wings' are
                                                  LINKER_LANGUAGE CXX)
  target_link_libraries(troupe_${name} PUBLIC ${arg_PUBLIC} PRIVATE ${arg_PRIVATE})
endfunction()

# troupe_testing(<folder>...): the library troupe::testing, from the headers and sources for tests below
# these.
function(troupe_testing)
  foreach(folder IN LISTS ARGN)
    set(root "${CMAKE_CURRENT_SOURCE_DIR}/${folder}")
    if(NOT folder MATCHES "testing$")
      set(below /testing)
    else()
      set(below)
    endif()
    file(GLOB some CONFIGURE_DEPENDS "${root}/src${below}/*.cpp")
    list(APPEND sources ${some})
    file(GLOB some CONFIGURE_DEPENDS "${root}/include/troupe/testing/*.hpp")
    list(APPEND headers ${some})
    list(APPEND bases "${root}/include")
    list(APPEND private "${root}/src")
  endforeach()
  set(umbrella ${headers})
  list(FILTER umbrella EXCLUDE REGEX "/leak_listener.hpp$") # needs Catch2
  troupe_umbrella(testing ${umbrella})
  set(made "${PROJECT_BINARY_DIR}/include/testing")
  troupe_library(testing "${sources}" "${headers};${made}/troupe/testing.hpp" "${bases};${made}")
  target_include_directories(troupe_testing PRIVATE ${private})
endfunction()

# troupe_all(<component>...): troupe::troupe, which is all of these, and its header.
function(troupe_all)
  add_library(troupe_troupe INTERFACE)
  list(TRANSFORM ARGN PREPEND troupe_ OUTPUT_VARIABLE targets)
  target_link_libraries(troupe_troupe INTERFACE ${targets})
  list(TRANSFORM ARGN REPLACE "(.+)" "/include/troupe/\\1.hpp" OUTPUT_VARIABLE headers)
  troupe_umbrella(troupe ${headers})
  set(made "${PROJECT_BINARY_DIR}/include/troupe")
  list(TRANSFORM ARGN REPLACE "(.+)" "${made}/troupe/\\1.hpp" OUTPUT_VARIABLE headers)
  target_sources(troupe_troupe INTERFACE FILE_SET HEADERS BASE_DIRS "${made}"
                 FILES ${headers} "${made}/troupe/troupe.hpp")
  set_target_properties(troupe_troupe PROPERTIES EXPORT_NAME troupe)
  add_library(troupe::troupe ALIAS troupe_troupe)
  install(TARGETS troupe_troupe EXPORT troupe-targets FILE_SET HEADERS)
endfunction()

# A library with installed headers below these base folders.
function(troupe_library name sources headers bases)
  set(target troupe_${name})
  add_library(${target} ${sources})
  troupe_compiling(${target})
  target_sources(${target} PUBLIC FILE_SET HEADERS BASE_DIRS ${bases} FILES ${headers})
  set_target_properties(${target} PROPERTIES
    EXPORT_NAME ${name}
    DEFINE_SYMBOL "" # so that shared and static libraries are made of the same objects
    INSTALL_RPATH "$ORIGIN"
    VERIFY_INTERFACE_HEADER_SETS ON
    VERSION ${PROJECT_VERSION}
    SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
  add_library(troupe::${name} ALIAS ${target})
  install(TARGETS ${target} EXPORT troupe-targets FILE_SET HEADERS)
endfunction()

# How the sources of all libraries are compiled: alike, so that one precompiled header serves them.
function(troupe_compiling target)
  troupe_warnings(${target})
  target_compile_features(${target} PUBLIC cxx_std_20)
  if(target STREQUAL "troupe_runtime")
    # What nearly every source includes, and what takes longest to parse.
    target_precompile_headers(${target} PRIVATE <asio/io_context.hpp> <caf/event_based_actor.hpp>
                              <caf/actor_system.hpp> <functional> <memory> <string> <vector>)
  else()
    target_precompile_headers(${target} REUSE_FROM troupe_runtime)
  endif()
endfunction()

# Writes <troupe/NAME.hpp>, which includes all of these that are a user's; unchanged, it stays.
function(troupe_umbrella name)
  set(folder troupe)
  if(name STREQUAL "testing")
    set(folder testing)
  endif()
  set(text "#pragma once\n\n// All headers of troupe::${name}. It compiles slowly: small programs name what they use.\n")
  set(lines)
  foreach(header IN LISTS ARGN)
    string(REGEX REPLACE ".*/include/" "" header "${header}")
    if(NOT header MATCHES "/detail/")
      list(APPEND lines "#include <${header}>")
    endif()
  endforeach()
  list(SORT lines)
  list(JOIN lines "\n" lines)
  file(CONFIGURE OUTPUT "${PROJECT_BINARY_DIR}/include/${folder}/troupe/${name}.hpp"
       CONTENT "${text}${lines}\n" @ONLY)
endfunction()

# Turns on the warnings that our own code is held to.
function(troupe_warnings target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # Names of CAF's actor classes (`done`, `id`) may be reused; the thread sanitizer does not know
    # Asio's fences; GCC 12 sees std::string overflow where it does not (GCC bug 105329).
    target_compile_options(${target} PRIVATE -Wshadow=local -Wno-tsan -Wno-array-bounds
                                             -Wno-restrict -Wno-stringop-overflow -Wno-stringop-overread)
  elseif(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    target_compile_definitions(${target} PRIVATE ASIO_HAS_CO_AWAIT ASIO_HAS_STD_COROUTINE)
  endif()
  if(TROUPE_WERROR)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
endfunction()
