# Finds brotli, a coding of bodies. Targets: Brotli::encoder, Brotli::decoder.
include(FindPackageHandleStandardArgs)

find_path(BROTLI_INCLUDE_DIR brotli/decode.h)
find_library(BROTLI_COMMON_LIBRARY brotlicommon)
find_library(BROTLI_DECODER_LIBRARY brotlidec)
find_library(BROTLI_ENCODER_LIBRARY brotlienc)
find_package_handle_standard_args(Brotli REQUIRED_VARS BROTLI_DECODER_LIBRARY BROTLI_ENCODER_LIBRARY
                                  BROTLI_COMMON_LIBRARY BROTLI_INCLUDE_DIR)

if(Brotli_FOUND AND NOT TARGET Brotli::decoder)
  add_library(Brotli::common UNKNOWN IMPORTED)
  set_target_properties(Brotli::common PROPERTIES IMPORTED_LOCATION "${BROTLI_COMMON_LIBRARY}"
                        INTERFACE_INCLUDE_DIRECTORIES "${BROTLI_INCLUDE_DIR}")
  foreach(part DECODER ENCODER)
    string(TOLOWER ${part} name)
    add_library(Brotli::${name} UNKNOWN IMPORTED)
    set_target_properties(Brotli::${name} PROPERTIES IMPORTED_LOCATION "${BROTLI_${part}_LIBRARY}"
                          INTERFACE_INCLUDE_DIRECTORIES "${BROTLI_INCLUDE_DIR}"
                          INTERFACE_LINK_LIBRARIES Brotli::common)
  endforeach()
endif()
mark_as_advanced(BROTLI_INCLUDE_DIR BROTLI_COMMON_LIBRARY BROTLI_DECODER_LIBRARY BROTLI_ENCODER_LIBRARY)
