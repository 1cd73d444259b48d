# Compiles data/shakespeare.txt into a library, for `mgd demo text`: the program needs no file of the source tree when it runs.
function(mgd_embed_text target)
  set(source "${PROJECT_SOURCE_DIR}/data/shakespeare.txt")
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${source}")
  file(READ "${source}" MGD_TEXT)
  set(generated "${PROJECT_BINARY_DIR}/generated/builtin_text.cpp")
  configure_file("${PROJECT_SOURCE_DIR}/cmake/builtin_text.cpp.in" "${generated}" @ONLY)
  target_sources(${target} PRIVATE "${generated}")
endfunction()
