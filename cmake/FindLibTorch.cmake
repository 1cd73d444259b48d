# Finds LibTorch and defines the imported target mgd::torch.
#
# Order: -DMGD_LIBTORCH=DIR, $LIBTORCH, CMAKE_PREFIX_PATH, the project's own environment (.venv), then the `torch`
# package of the Python in use. The package is located through its spec and never imported: an import costs seconds.
# Torch's own TorchConfig.cmake is not used: it pulls in Caffe2's options and its compiler flags.

function(_mgd_torch_of_python python out)
  execute_process(
    COMMAND ${python} -c "import importlib.util as u; s = u.find_spec('torch'); print(s.submodule_search_locations[0] if s else '')"
    OUTPUT_VARIABLE found OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  set(${out} "${found}" PARENT_SCOPE)
endfunction()

set(_candidates "${MGD_LIBTORCH}" "$ENV{LIBTORCH}" ${CMAKE_PREFIX_PATH})
foreach(_python "${PROJECT_SOURCE_DIR}/.venv/bin/python" python3)
  _mgd_torch_of_python(${_python} _found)
  list(APPEND _candidates "${_found}")
endforeach()

set(LibTorch_ROOT "")
foreach(_dir ${_candidates})
  if(_dir AND EXISTS "${_dir}/include/ATen/core/Tensor.h")
    set(LibTorch_ROOT "${_dir}")
    break()
  endif()
endforeach()

if(LibTorch_ROOT)
  set(LibTorch_VERSION "")
  foreach(_header torch/headeronly/version.h torch/csrc/api/include/torch/version.h)
    if(EXISTS "${LibTorch_ROOT}/include/${_header}" AND NOT LibTorch_VERSION)
      file(READ "${LibTorch_ROOT}/include/${_header}" _text)
      foreach(_part MAJOR MINOR PATCH)
        if(_text MATCHES "#define TORCH_VERSION_${_part} ([0-9]+)")
          list(APPEND LibTorch_VERSION ${CMAKE_MATCH_1})
        endif()
      endforeach()
      list(JOIN LibTorch_VERSION "." LibTorch_VERSION)
    endif()
  endforeach()
  add_library(mgd::torch INTERFACE IMPORTED GLOBAL)
  # LibTorch brings headers of another {fmt} without its library; ours must be found before them.
  set(_fmt_first "")
  if(TARGET fmt::fmt AND EXISTS "${LibTorch_ROOT}/include/fmt")
    get_target_property(_fmt_dirs fmt::fmt INTERFACE_INCLUDE_DIRECTORIES)
    list(GET _fmt_dirs 0 _fmt_dir)
    if(EXISTS "${_fmt_dir}/fmt/core.h")
      set(_fmt_first "${CMAKE_BINARY_DIR}/fmt-first")
      file(MAKE_DIRECTORY "${_fmt_first}")
      file(CREATE_LINK "${_fmt_dir}/fmt" "${_fmt_first}/fmt" SYMBOLIC)
    endif()
  endif()
  target_include_directories(mgd::torch SYSTEM INTERFACE ${_fmt_first}
    "${LibTorch_ROOT}/include" "${LibTorch_ROOT}/include/torch/csrc/api/include")
  # LibTorch's own headers then include the operators that they use, and not all of them: 57,000 lines less where a file includes
  # ATen/TensorOperators.h.
  target_compile_definitions(mgd::torch INTERFACE AT_PER_OPERATOR_HEADERS)
  target_link_directories(mgd::torch INTERFACE "${LibTorch_ROOT}/lib")
  target_link_options(mgd::torch INTERFACE "-Wl,-rpath,${LibTorch_ROOT}/lib")
  # at::parallel_for is a header, and runs in turn in a file that is not compiled for OpenMP. The library at run time is the one
  # that LibTorch brings: both have the same name, and its folder is searched first.
  target_compile_options(mgd::torch INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-fopenmp>)
  target_link_options(mgd::torch INTERFACE -fopenmp)
  # libtorch.so and the CUDA half register operators when loaded: the linker must not drop them as unused.
  # libstdc++ comes first: libtorch_cpu.so exports the std::filesystem of the compiler that built it, and a program that takes
  # half of that from there and half from its own library dies in remove_all.
  set(_libs stdc++ torch torch_cpu c10)
  if(EXISTS "${LibTorch_ROOT}/lib/libtorch_cuda.so")
    list(APPEND _libs torch_cuda c10_cuda)
    # What torch_cuda needs of NVIDIA's libraries it finds by its own run path; the linker need not.
    target_link_options(mgd::torch INTERFACE "-Wl,--allow-shlib-undefined")
  endif()
  list(TRANSFORM _libs PREPEND "-l")
  list(JOIN _libs "," _joined)
  target_link_libraries(mgd::torch INTERFACE "-Wl,--no-as-needed" ${_libs} "-Wl,--as-needed")
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LibTorch REQUIRED_VARS LibTorch_ROOT VERSION_VAR LibTorch_VERSION
  REASON_FAILURE_MESSAGE "set -DMGD_LIBTORCH=DIR or LIBTORCH=DIR, or run `make build`, which installs torch==2.13.0 into .venv")
