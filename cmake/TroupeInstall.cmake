# What is installed beside the libraries and their headers: the CMake package, files for pkg-config,
# and the documentation.
include(CMakePackageConfigHelpers)
set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/troupe")

install(EXPORT troupe-targets NAMESPACE troupe:: DESTINATION ${package_dir})
configure_package_config_file(cmake/troupe-config.cmake.in troupe-config.cmake
                              INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(troupe-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/troupe-config.cmake
              ${CMAKE_CURRENT_BINARY_DIR}/troupe-config-version.cmake
              cmake/FindCAF.cmake cmake/FindAsio.cmake
        DESTINATION ${package_dir})

# Who links a static library links what it uses, too.
set(TROUPE_PRIVATE_KEY Requires)
if(BUILD_SHARED_LIBS)
  set(TROUPE_PRIVATE_KEY Requires.private)
endif()
file(RELATIVE_PATH TROUPE_PC_TO_PREFIX "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
foreach(name troupe troupe-testing)
  configure_file(cmake/${name}.pc.in ${name}.pc @ONLY)
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/${name}.pc
          DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endforeach()

install(FILES LICENSE README.md CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
foreach(component runtime actors net)
  install(FILES ${component}/README.md DESTINATION ${CMAKE_INSTALL_DOCDIR}/${component})
endforeach()
install(DIRECTORY examples DESTINATION ${CMAKE_INSTALL_DOCDIR})
