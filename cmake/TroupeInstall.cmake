# What is installed beside the libraries, their headers and what finds them: the documentation.
install(FILES LICENSE README.md CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT development)
file(GLOB pages CONFIGURE_DEPENDS RELATIVE "${PROJECT_SOURCE_DIR}" "${PROJECT_SOURCE_DIR}/net/*/README.md"
     "${PROJECT_SOURCE_DIR}/net/protocols/*/README.md")
foreach(page IN ITEMS runtime/README.md actors/README.md net/README.md LISTS pages)
  cmake_path(GET page PARENT_PATH folder)
  install(FILES ${page} DESTINATION ${CMAKE_INSTALL_DOCDIR}/${folder} COMPONENT development)
endforeach()
install(DIRECTORY docs DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT development FILES_MATCHING PATTERN "*.md")
install(DIRECTORY examples DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT development)
install(PROGRAMS scripts/new RENAME troupe-new DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT development)
install(DIRECTORY scripts/new_project DESTINATION ${CMAKE_INSTALL_DATADIR}/troupe COMPONENT development)
