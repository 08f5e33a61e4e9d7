# troupe_component(<name> [REQUIRED] PUBLIC <libs> PRIVATE <libs>
#                  DEPENDS <"find_package arguments">... PRIVATE_DEPENDS <the same>...)
#
# Makes the library troupe_<name>, alias troupe::<name>, of this folder: src/**.cpp, with the headers
# below include/: installed, and each proved to compile alone. What lies in folders `testing` belongs
# to troupe::testing. DEPENDS are packages that its headers need, PRIVATE_DEPENDS those that only its
# sources do. Where one is missing the component is off, and the rest is built; one that is REQUIRED is
# a part of troupe::troupe.
function(troupe_component name)
  cmake_parse_arguments(arg "REQUIRED" "" "PUBLIC;PRIVATE;DEPENDS;PRIVATE_DEPENDS" ${ARGN})
  set(required)
  if(arg_REQUIRED)
    set(required REQUIRED)
  endif()
  troupe_find(${name} ${required} DEPENDS ${arg_DEPENDS} PRIVATE_DEPENDS ${arg_PRIVATE_DEPENDS})
  troupe_need(missing ${arg_PUBLIC} ${arg_PRIVATE})
  get_property(more GLOBAL PROPERTY TROUPE_${name}_MISSING)
  list(APPEND missing ${more})
  if(missing)
    list(JOIN missing ", " missing)
    message(STATUS "troupe::${name} is off; missing: ${missing}")
    set_property(GLOBAL APPEND PROPERTY TROUPE_COMPONENTS_OFF ${name})
    return()
  endif()

  set(root "${CMAKE_CURRENT_SOURCE_DIR}")
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${root}/src/*.cpp")
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS "${root}/include/*.hpp")
  list(FILTER sources EXCLUDE REGEX "/src/testing/")
  list(FILTER headers EXCLUDE REGEX "/include/troupe/testing/")
  troupe_umbrella(${name} ${headers})
  set(bases "${root}/include")
  if(NOT arg_REQUIRED) # those of the others come with troupe::troupe
    list(APPEND bases "${PROJECT_BINARY_DIR}/include/${name}")
    list(APPEND headers "${PROJECT_BINARY_DIR}/include/${name}/troupe/${name}.hpp")
  endif()
  troupe_library(${name} "${sources}" "${headers}" "${bases}")
  target_link_libraries(troupe_${name} PUBLIC ${arg_PUBLIC} PRIVATE ${arg_PRIVATE})
  target_include_directories(troupe_${name} PRIVATE "${root}/src")
endfunction()

# troupe_components(<pattern>...): adds the component of each folder that has these names. One that links
# another has that added first.
function(troupe_components)
  list(TRANSFORM ARGN APPEND "/CMakeLists.txt")
  file(GLOB files CONFIGURE_DEPENDS ${ARGN})
  list(TRANSFORM files REPLACE "/CMakeLists.txt$" "")
  set_property(GLOBAL PROPERTY TROUPE_FOLDERS_TO_ADD ${files})
  foreach(folder IN LISTS files)
    troupe_add("${folder}")
  endforeach()
endfunction()

function(troupe_add folder)
  get_property(folders GLOBAL PROPERTY TROUPE_FOLDERS_TO_ADD)
  if(folder IN_LIST folders)
    list(REMOVE_ITEM folders "${folder}")
    set_property(GLOBAL PROPERTY TROUPE_FOLDERS_TO_ADD ${folders})
    file(RELATIVE_PATH below "${PROJECT_SOURCE_DIR}" "${folder}")
    add_subdirectory("${folder}" "${PROJECT_BINARY_DIR}/${below}")
  endif()
endfunction()

# Sets `result` to those components among these libraries that are not there.
function(troupe_need result)
  set(missing)
  foreach(library IN LISTS ARGN)
    if(library MATCHES "^troupe(_|::)(.+)$" AND NOT TARGET ${library})
      get_property(folders GLOBAL PROPERTY TROUPE_FOLDERS_TO_ADD)
      list(FILTER folders INCLUDE REGEX "/${CMAKE_MATCH_2}$")
      foreach(folder IN LISTS folders)
        troupe_add("${folder}")
      endforeach()
      if(NOT TARGET ${library})
        list(APPEND missing ${library})
      endif()
    endif()
  endforeach()
  set(${result} ${missing} PARENT_SCOPE)
endfunction()

# troupe_find(<component> [REQUIRED] DEPENDS <"find_package arguments">... PRIVATE_DEPENDS <the same>...)
#
# Finds them, and keeps them for the package file. What is missing is in the property
# TROUPE_<component>_MISSING, or with REQUIRED an error.
function(troupe_find component)
  cmake_parse_arguments(arg "REQUIRED" "" "DEPENDS;PRIVATE_DEPENDS" ${ARGN})
  set(how QUIET)
  if(arg_REQUIRED)
    set(how REQUIRED)
  endif()
  foreach(package IN LISTS arg_DEPENDS arg_PRIVATE_DEPENDS)
    separate_arguments(arguments UNIX_COMMAND "${package}")
    find_package(${arguments} ${how})
    list(GET arguments 0 found)
    if(NOT ${found}_FOUND)
      set_property(GLOBAL APPEND PROPERTY TROUPE_${component}_MISSING "${found}")
    endif()
  endforeach()
  set_property(GLOBAL PROPERTY TROUPE_${component}_DEPENDS ${arg_DEPENDS})
  set_property(GLOBAL PROPERTY TROUPE_${component}_PRIVATE_DEPENDS ${arg_PRIVATE_DEPENDS})
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
  troupe_installed(troupe)
endfunction()

# A library with installed headers below these base folders.
function(troupe_library name sources headers bases)
  set(target troupe_${name})
  add_library(${target} ${sources})
  troupe_compiling(${target})
  target_sources(${target} PUBLIC FILE_SET HEADERS BASE_DIRS ${bases} FILES ${headers})
  set_target_properties(${target} PROPERTIES
    DEFINE_SYMBOL "" # so that shared and static libraries are made of the same objects
    INSTALL_RPATH "$ORIGIN"
    VERIFY_INTERFACE_HEADER_SETS ON
    VERSION ${PROJECT_VERSION}
    SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
  get_target_property(type ${target} TYPE)
  if(type STREQUAL "SHARED_LIBRARY")
    set(exports "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/exports.map")
    target_link_options(${target} PRIVATE "LINKER:--version-script=${exports}")
    set_property(TARGET ${target} APPEND PROPERTY LINK_DEPENDS "${exports}")
  endif()
  troupe_installed(${name})
endfunction()

# Makes troupe_<name> a component that users ask for, installed with what CMake has to know about it.
function(troupe_installed name)
  set(target troupe_${name})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${name})
  add_library(troupe::${name} ALIAS ${target})
  set_property(GLOBAL APPEND PROPERTY TROUPE_COMPONENTS ${name})
  install(TARGETS ${target} EXPORT troupe-${name}
          LIBRARY COMPONENT libraries NAMELINK_COMPONENT development
          ARCHIVE COMPONENT development
          FILE_SET HEADERS COMPONENT development)
endfunction()

# How the sources of all libraries are compiled: alike, so that one precompiled header serves them.
function(troupe_compiling target)
  troupe_warnings(${target})
  troupe_unity(${target})
  target_compile_features(${target} PUBLIC cxx_std_20)
  if(target STREQUAL "troupe_runtime")
    # What nearly every source includes, and what takes longest to parse.
    target_precompile_headers(${target} PRIVATE <asio/io_context.hpp> <caf/event_based_actor.hpp>
                              <caf/actor_system.hpp> <functional> <memory> <string> <vector>)
  else()
    target_precompile_headers(${target} REUSE_FROM troupe_runtime)
  endif()
endfunction()

# With TROUPE_UNITY, compiles sources of this target several at once: most of the time goes into what their
# headers instantiate, which is then done once for each lot. What is in their anonymous namespaces must differ.
function(troupe_unity target)
  set_target_properties(${target} PROPERTIES UNITY_BUILD "${TROUPE_UNITY}" UNITY_BUILD_BATCH_SIZE 12)
  if(TROUPE_UNITY AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # GCC takes the sources within a lot for headers, and their classes for what other sources see.
    target_compile_options(${target} PRIVATE -Wno-subobject-linkage)
  endif()
endfunction()

# Writes <troupe/NAME.hpp>, which includes all of these that are a user's; unchanged, it stays.
function(troupe_umbrella name)
  set(folder troupe)
  if(NOT name MATCHES "^(runtime|actors|net)$")
    set(folder ${name})
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
    if(CMAKE_CXX_COMPILER_VERSION VERSION_GREATER_EQUAL 13)
      # GCC 14 at -O3 takes a std::variant that is moved for one that has nothing in it.
      target_compile_options(${target} PRIVATE -Wno-maybe-uninitialized)
    endif()
  elseif(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    target_compile_definitions(${target} PRIVATE ASIO_HAS_CO_AWAIT ASIO_HAS_STD_COROUTINE)
  endif()
  if(TROUPE_WERROR)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
endfunction()
