# Debian packages, as scripts/packages makes them: this build has the shared libraries and the programs, another
# (TROUPE_STATIC_BUILD) the static libraries, of the same objects.
set(TROUPE_STATIC_BUILD "" CACHE PATH "A build of the static libraries, for the package of headers")
set(soversion ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
set(libraries libtroupe${soversion}) # by Debian's rule: the name changes when the ABI does

get_property(components GLOBAL PROPERTY TROUPE_COMPONENTS) # those that are built
list(REMOVE_ITEM components troupe) # which has no library of its own
set(folders_of_libraries "${PROJECT_BINARY_DIR}")
foreach(component IN LISTS components)
  list(APPEND folders_of_libraries "$<TARGET_FILE_DIR:troupe_${component}>")
endforeach()

# The programs have names of their own in /usr/bin, where `hello` and `netcat` are taken; each has a manual page
# of what is at the head of its source and what it says to --help, and bash completes the options of those that have some.
get_property(programs DIRECTORY examples PROPERTY BUILDSYSTEM_TARGETS)
set(pages)
foreach(program IN LISTS programs)
  get_target_property(type ${program} TYPE)
  if(type STREQUAL "EXECUTABLE")
    string(REPLACE "_" "-" name troupe-${program})
    set(page "${PROJECT_BINARY_DIR}/man/${name}.1.gz")
    add_custom_command(OUTPUT "${page}"
      COMMAND ${CMAKE_COMMAND} -E env
              "LD_LIBRARY_PATH=$<JOIN:${folders_of_libraries},:>"
              python3 "${PROJECT_SOURCE_DIR}/scripts/lib/manual_page.py" $<TARGET_FILE:${program}>
              "${PROJECT_SOURCE_DIR}/examples/${program}.cpp" ${PROJECT_VERSION} "${page}"
      DEPENDS ${program} "${PROJECT_SOURCE_DIR}/examples/${program}.cpp"
              "${PROJECT_SOURCE_DIR}/scripts/lib/manual_page.py"
      VERBATIM)
    list(APPEND pages "${page}")
    install(PROGRAMS $<TARGET_FILE:${program}> DESTINATION ${CMAKE_INSTALL_BINDIR} RENAME ${name}
            COMPONENT programs)
    install(FILES "${page}" DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT programs)
    file(READ "${PROJECT_SOURCE_DIR}/examples/${program}.cpp" source)
    if(source MATCHES "\"(command_line|server_program).hpp\"")
      set(completion "${PROJECT_BINARY_DIR}/completions/${name}")
      add_custom_command(OUTPUT "${completion}"
        COMMAND ${CMAKE_COMMAND} -E env
                "LD_LIBRARY_PATH=$<JOIN:${folders_of_libraries},:>"
                python3 "${PROJECT_SOURCE_DIR}/scripts/lib/completion.py" $<TARGET_FILE:${program}> ${name} "${completion}"
        DEPENDS ${program} "${PROJECT_SOURCE_DIR}/scripts/lib/completion.py"
        VERBATIM)
      list(APPEND pages "${completion}")
      install(FILES "${completion}" DESTINATION share/bash-completion/completions COMPONENT programs)
    endif()
  endif()
endforeach()
add_custom_target(troupe_manual_pages ALL DEPENDS ${pages}) # and completions

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME troupe)
set(CPACK_PACKAGE_VENDOR "Troupe contributors")
set(CPACK_PACKAGE_CONTACT "Troupe contributors <troupe@localhost>")
set(CPACK_PACKAGE_DIRECTORY "${PROJECT_BINARY_DIR}/packages")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_COMPONENTS_ALL libraries development programs)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_STATIC development) # of that build; what both have is this one's
set(CPACK_INSTALL_CMAKE_PROJECTS "${TROUPE_STATIC_BUILD};troupe;STATIC;/" "${PROJECT_BINARY_DIR};troupe;ALL;/")
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS "${PROJECT_BINARY_DIR}")
foreach(component IN LISTS components)
  get_target_property(folder troupe_${component} BINARY_DIR)
  list(APPEND CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS "${folder}")
endforeach()
# Where one package needs another, it is the one that was made with it.
set(exactly "(= ${PROJECT_VERSION})")

set(CPACK_DEBIAN_LIBRARIES_PACKAGE_NAME ${libraries})
set(CPACK_DEBIAN_LIBRARIES_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_LIBRARIES_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_LIBRARIES_PACKAGE_CONTROL_EXTRA "${PROJECT_BINARY_DIR}/debian/triggers"
                                                 "${PROJECT_BINARY_DIR}/debian/shlibs")
set(CPACK_COMPONENT_LIBRARIES_DESCRIPTION "The shared libraries.")

set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libtroupe-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(needs "${libraries} ${exactly}, libcaf-dev (>= 0.17.6), libcaf-dev (<< 0.18), libasio-dev, libspdlog-dev, libfmt-dev, libssl-dev (>= 3.0)")
# What the other components' static libraries need is looked for by troupe-config.cmake; it has these names here.
set(debian_Utf8proc libutf8proc-dev)
set(debian_nlohmann_json nlohmann-json3-dev)
set(debian_ZLIB zlib1g-dev)
set(debian_SQLite3 libsqlite3-dev)
set(debian_Llhttp libllhttp-dev)
set(debian_Nghttp2 libnghttp2-dev)
set(debian_Psl libpsl-dev)
set(debian_Idn2 libidn2-dev)
set(debian_Brotli libbrotli-dev)
if(TARGET Llhttp::llhttp)
  get_target_property(sources Llhttp::llhttp LLHTTP_SOURCES)
  if(sources)
    set(debian_Llhttp node-llhttp)
  endif()
endif()
foreach(component IN LISTS components)
  get_property(packages GLOBAL PROPERTY TROUPE_${component}_DEPENDS)
  get_property(more GLOBAL PROPERTY TROUPE_${component}_PRIVATE_DEPENDS)
  foreach(package IN LISTS packages more)
    string(REGEX REPLACE " .*" "" package "${package}")
    if(DEFINED debian_${package})
      list(APPEND needs ${debian_${package}})
    elseif(NOT package MATCHES "^(CAF|Asio|spdlog|OpenSSL)$")
      message(FATAL_ERROR "which Debian package has ${package}, that troupe::${component} needs?")
    endif()
  endforeach()
endforeach()
list(REMOVE_DUPLICATES needs)
list(JOIN needs ", " CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS)
set(CPACK_COMPONENT_DEVELOPMENT_DESCRIPTION
    "Headers, static libraries, and files for CMake and pkg-config.")

set(CPACK_DEBIAN_PROGRAMS_PACKAGE_NAME troupe-examples)
set(CPACK_DEBIAN_PROGRAMS_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PROGRAMS_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PROGRAMS_PACKAGE_DEPENDS "${libraries} ${exactly}")
set(CPACK_COMPONENT_PROGRAMS_DESCRIPTION
    "The example programs, among them a chat server, with manual pages.")

file(WRITE "${PROJECT_BINARY_DIR}/debian/triggers" "activate-noawait ldconfig\n")
set(shlibs)
foreach(component IN LISTS components)
  string(APPEND shlibs "libtroupe_${component} ${soversion} ${libraries} (>= ${PROJECT_VERSION})\n")
endforeach()
file(WRITE "${PROJECT_BINARY_DIR}/debian/shlibs" "${shlibs}")
foreach(pair libraries:${libraries} development:libtroupe-dev programs:troupe-examples)
  string(REPLACE ":" ";" pair ${pair})
  list(GET pair 0 component)
  list(GET pair 1 package)
  install(FILES LICENSE DESTINATION share/doc/${package} RENAME copyright COMPONENT ${component})
endforeach()
include(CPack)
