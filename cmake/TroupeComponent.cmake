# troupe_component(<name> PUBLIC <libs> PRIVATE <libs>)
#
# Makes the library troupe_<name>, alias troupe::<name>, from <name>/src/**.cpp, with the headers
# below <name>/include: installed, and each proved to compile alone. A component without sources is
# an interface.
function(troupe_component name)
  cmake_parse_arguments(arg "" "" "PUBLIC;PRIVATE" ${ARGN})
  set(root "${CMAKE_CURRENT_SOURCE_DIR}/${name}")
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${root}/src/*.cpp")
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS "${root}/include/*.hpp")
  set(target troupe_${name})
  if(sources)
    set(scope PUBLIC)
    add_library(${target} ${sources})
    target_link_libraries(${target} PUBLIC ${arg_PUBLIC} PRIVATE ${arg_PRIVATE})
    target_include_directories(${target} PRIVATE "${root}/src")
    troupe_warnings(${target})
    # What nearly every source includes, and what takes longest to parse.
    target_precompile_headers(${target} PRIVATE <asio/io_context.hpp> <caf/event_based_actor.hpp>
                              <caf/actor_system.hpp> <functional> <memory> <string> <vector>)
  else()
    set(scope INTERFACE)
    add_library(${target} INTERFACE)
    target_link_libraries(${target} INTERFACE ${arg_PUBLIC})
  endif()
  target_compile_features(${target} ${scope} cxx_std_20)
  target_sources(${target} ${scope} FILE_SET HEADERS BASE_DIRS "${root}/include" FILES ${headers})
  set_target_properties(${target} PROPERTIES
    EXPORT_NAME ${name}
    VERIFY_INTERFACE_HEADER_SETS ON
    VERSION ${PROJECT_VERSION}
    SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
  add_library(troupe::${name} ALIAS ${target})
  install(TARGETS ${target} EXPORT troupe-targets FILE_SET HEADERS)
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
