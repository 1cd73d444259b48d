# A folder of src/mgd is one static library, mgd_FOLDER; its tests are one program, test_FOLDER.
set_property(GLOBAL PROPERTY MGD_FOLDERS "")

#
# With MGD_UNITY, a dozen of its files are compiled as one, which takes half the time. ALONE: files whose local names are also those
# of siblings, such as `header` and `decode` of every image format.
function(mgd_folder name)
  cmake_parse_arguments(ARG "" "" "LINKS;ALONE" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/src/mgd/${name}/*.cpp")
  list(FILTER sources EXCLUDE REGEX "/main\\.cpp$")
  set_property(GLOBAL APPEND PROPERTY MGD_FOLDERS ${name})
  if(sources)
    add_library(mgd_${name} STATIC ${sources})
    set(scope PUBLIC)
    target_link_libraries(mgd_${name} PRIVATE $<BUILD_INTERFACE:mgd_warnings>)
    set_target_properties(mgd_${name} PROPERTIES UNITY_BUILD ${MGD_UNITY} UNITY_BUILD_BATCH_SIZE 12)
    if(MGD_UNITY)
      # What is local to one file is local to the file that includes it.
      target_compile_options(mgd_${name} PRIVATE -Wno-subobject-linkage)
    endif()
    list(TRANSFORM ARG_ALONE PREPEND "${PROJECT_SOURCE_DIR}/src/mgd/${name}/")
    set_source_files_properties(${ARG_ALONE} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
  else()
    add_library(mgd_${name} INTERFACE)
    set(scope INTERFACE)
  endif()
  # The headers are C++20, and so is whoever includes them.
  target_compile_features(mgd_${name} ${scope} cxx_std_20)
  mgd_share_headers(mgd_${name} "${ARG_LINKS}")
  target_include_directories(mgd_${name} ${scope} $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/src> $<INSTALL_INTERFACE:include>)
  target_link_libraries(mgd_${name} ${scope} ${ARG_LINKS} Threads::Threads)
  if(MGD_TESTS)
    mgd_folder_tests(${name})
  endif()
endfunction()

# The headers that nearly every file above the Torch-free half includes are compiled once, by the first library there; the
# others read the result.
function(mgd_share_headers target links)
  get_target_property(type ${target} TYPE)
  if(MGD_SANITIZE OR NOT type STREQUAL "STATIC_LIBRARY" OR NOT links MATCHES "mgd_(types|ops|nn|model|eval|generate|teach|task|train)")
    return()
  endif()
  if(NOT TARGET mgd_ops OR target STREQUAL "mgd_ops")
    target_precompile_headers(${target} PRIVATE <ATen/core/Tensor.h> <fmt/core.h> <map> <string> <vector>)
  else()
    target_precompile_headers(${target} REUSE_FROM mgd_ops)
  endif()
endfunction()

function(mgd_folder_tests name)
  file(GLOB tests CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/${name}/*.cpp")
  if(NOT tests)
    return()
  endif()
  add_executable(test_${name} ${tests})
  if(TARGET mgd_types)  # this folder and all that follow use LibTorch
    target_sources(test_${name} PRIVATE "${PROJECT_SOURCE_DIR}/tests/torch_main.cpp")
  else()
    target_link_libraries(test_${name} PRIVATE GTest::gtest_main)
  endif()
  target_include_directories(test_${name} PRIVATE "${PROJECT_SOURCE_DIR}/tests")
  target_link_libraries(test_${name} PRIVATE mgd_${name} mgd_warnings GTest::gtest GTest::gmock)
  # What is tested is optimised; the tests themselves are compiled for the sake of those who wait for them.
  target_compile_options(test_${name} PRIVATE -O0)
  target_compile_definitions(test_${name} PRIVATE
    MGD_FIXTURES="${PROJECT_SOURCE_DIR}/tests/${name}/fixtures" MGD_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  # One ctest entry a program: discovering single tests would start LibTorch once for each.
  add_test(NAME ${name} COMMAND test_${name} --gtest_brief=1 WORKING_DIRECTORY ${CMAKE_BINARY_DIR})
  # Programs run side by side; threads that wait for a core by spinning would slow all of them. What is about threads asks for them.
  set_tests_properties(${name} PROPERTIES ENVIRONMENT OMP_NUM_THREADS=1)
endfunction()

# Every kernel file NAME_ISA.cpp with the flags of its instruction set; which one runs is chosen at run time (kernels/isa.h).
# Contraction gives fused multiply-adds; no flag here allows reordering or forgets NaN.
function(mgd_kernel_flags)
  get_target_property(sources mgd_kernels SOURCES)
  foreach(source ${sources})
    set(flags "-O3;-ffp-contract=fast;-fno-math-errno")
    if(source MATCHES "_avx512(bf16)?\\.cpp$")
      list(APPEND flags "-mavx512f;-mavx512bw;-mavx512dq;-mavx512vl;-mfma;-mprefer-vector-width=512")
      if(source MATCHES "bf16\\.cpp$")
        list(APPEND flags "-mavx512bf16")
      endif()
    elseif(source MATCHES "_avx2\\.cpp$")
      list(APPEND flags "-mavx2;-mfma")
    endif()
    if(source MATCHES "_(avx512|avx512bf16|avx2)\\.cpp$" AND NOT CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
      set_source_files_properties("${source}" PROPERTIES HEADER_FILE_ONLY ON)
    elseif(source MATCHES "_(avx512|avx512bf16|avx2|portable)\\.cpp$")
      set_source_files_properties("${source}" PROPERTIES COMPILE_OPTIONS "${flags}")
    endif()
  endforeach()
endfunction()

# Programs beside `mgd bench`; no part of the ordinary build.
function(mgd_bench_programs)
  add_executable(masked_conv_bench EXCLUDE_FROM_ALL "${PROJECT_SOURCE_DIR}/bench/masked_conv_bench.cpp")
  target_link_libraries(masked_conv_bench PRIVATE mgd_loss mgd_warnings)
  add_executable(tokenizer_bench EXCLUDE_FROM_ALL "${PROJECT_SOURCE_DIR}/bench/tokenizer_bench.cpp")
  target_link_libraries(tokenizer_bench PRIVATE mgd_text mgd_warnings)
  add_executable(softmax_kl_bench EXCLUDE_FROM_ALL "${PROJECT_SOURCE_DIR}/bench/softmax_kl_bench.cpp")
  target_link_libraries(softmax_kl_bench PRIVATE mgd_ops mgd_warnings)
endfunction()

function(mgd_feature_table)
  message(STATUS "")
  message(STATUS "mgd ${PROJECT_VERSION}: ${CMAKE_BUILD_TYPE} with ${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}")
  set(rows "LibTorch|${LibTorch_VERSION} (${LibTorch_ROOT})" "fmt|${fmt_VERSION}" "OpenSSL|${OPENSSL_VERSION}"
      "yaml-cpp|${yaml-cpp_VERSION}" "JSON|${nlohmann_json_VERSION}" "archives|libarchive ${LibArchive_VERSION}"
      "JPEG|${JPEG_VERSION}" "PNG|${PNG_VERSION_STRING}" "arguments|CLI11 ${CLI11_VERSION}" "tests|GoogleTest ${GTest_VERSION}"
      "compiler cache|${CCACHE_PROGRAM}" "linker|${MOLD_PROGRAM}")
  foreach(row ${rows})
    string(REPLACE "|" ";" cells "${row}")
    list(GET cells 0 feature)
    list(LENGTH cells n)
    set(found "")
    if(n GREATER 1)
      list(GET cells 1 found)
    endif()
    string(LENGTH "${feature}" len)
    math(EXPR pad "18 - ${len}")
    string(REPEAT " " ${pad} spaces)
    message(STATUS "  ${feature}${spaces}${found}")
  endforeach()
endfunction()
