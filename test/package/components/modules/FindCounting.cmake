# A package that comes and goes: there unless it is switched off.
if(NOT COUNTING_IS_MISSING)
  set(Counting_FOUND TRUE)
  if(NOT TARGET Counting::counting)
    find_package(Threads REQUIRED)
    add_library(Counting::counting INTERFACE IMPORTED)
    set_target_properties(Counting::counting PROPERTIES INTERFACE_COMPILE_DEFINITIONS "COUNTS_BY=2"
                                                        INTERFACE_LINK_LIBRARIES Threads::Threads)
  endif()
endif()
