# Compiler, cache and linker.
find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  # The two kinds of sloppiness that the cache asks for where headers are precompiled.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros ${CCACHE_PROGRAM})
endif()
find_program(MOLD_PROGRAM mold)
if(MOLD_PROGRAM)
  # Debian 12's mold may begin what is protected after relocation in front of the first writable page, where a program with a small
  # thread-local variable ends its code so; such a program does not start ("cannot apply additional memory protection").
  add_link_options(-fuse-ld=mold -Wl,-z,norelro)
endif()
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()
set(CMAKE_CXX_FLAGS_RELEASE "-O2")
if(MGD_FUZZ)
  # Coverage counters everywhere, libFuzzer's main only in the fuzz programs (cmake/fuzz.cmake).
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
if(MGD_SANITIZE)
  add_compile_options(-fsanitize=${MGD_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=undefined)
  add_link_options(-fsanitize=${MGD_SANITIZE})
  if(MGD_SANITIZE MATCHES "thread")
    # The loader cannot make relocated data read-only where this sanitizer lays its own memory.
    add_link_options(-Wl,-z,norelro)
  endif()
endif()
add_library(mgd_warnings INTERFACE)
# Options structs are meant to be initialised in part, by name: hence no -Wmissing-field-initializers.
target_compile_options(mgd_warnings INTERFACE -Wall -Wextra -Wconversion -Wno-missing-field-initializers)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # The compiler of record is Debian 12's GCC. Extra warnings of another one, such as GCC 13's -Warray-bounds in its own library,
  # are shown and stop nobody. GCC 12 reports overlaps that cannot be in std::string's own operator+ (its bug 105651).
  target_compile_options(mgd_warnings INTERFACE -Werror -Wno-restrict)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND MGD_SANITIZE)
  # Instrumentation hides from GCC that an empty std::optional is never read.
  target_compile_options(mgd_warnings INTERFACE -Wno-maybe-uninitialized)
  if(MGD_SANITIZE MATCHES "thread")
    # A fence that the thread sanitizer does not understand stands in LibTorch's PyObjectSlot.h, which is used by Python only.
    target_compile_options(mgd_warnings INTERFACE -Wno-tsan)
  endif()
endif()
