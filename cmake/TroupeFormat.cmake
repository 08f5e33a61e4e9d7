# Targets `format`, which rewrites our sources in the project's style, and `format-check`, which
# only tells whether that would change anything.
find_program(CLANG_FORMAT NAMES clang-format-14 clang-format)
if(CLANG_FORMAT AND PROJECT_IS_TOP_LEVEL)
  foreach(kind format format-check)
    if(kind STREQUAL "format")
      set(flag "-i")
    else()
      set(flag "--dry-run --Werror")
    endif()
    add_custom_target(${kind}
      COMMAND sh -c "git ls-files -z --cached --others --exclude-standard -- '*.cpp' '*.hpp' ':!scripts/new_project' | xargs -0 -r ${CLANG_FORMAT} ${flag}"
      WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}
      VERBATIM)
  endforeach()
endif()
