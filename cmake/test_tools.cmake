# TensorBoard's own reader against the event writer; 77 = TensorBoard is not installed.
function(mgd_tensorboard_test)
  set(python "${PROJECT_SOURCE_DIR}/.venv/bin/python")
  if(NOT TARGET test_format OR NOT EXISTS "${python}")
    message(STATUS "TensorBoard's check is skipped: no .venv/bin/python")
    return()
  endif()
  add_test(NAME tensorboard
    COMMAND "${python}" "${PROJECT_SOURCE_DIR}/scripts/check_tensorboard.py" $<TARGET_FILE:test_format>)
  set_tests_properties(tensorboard PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 120)
endfunction()

# The command as a user meets it: exit codes, messages, signals, killed processes (standard library of Python only).
# other_torch is preloaded and built without a sanitizer, whose runtime would have to come first in a process.
function(mgd_command_test)
  add_library(other_torch MODULE "${PROJECT_SOURCE_DIR}/tests/e2e/other_torch.cpp")
  target_compile_options(other_torch PRIVATE -fno-sanitize=all)
  target_link_options(other_torch PRIVATE -fno-sanitize=all)
  foreach(entry "command cli" "classes classes" "faults faults" "ends ends" "text_verbs text_verbs" "text_training text_training" "demo_text demo_text" "switched_off switched_off" "export_verb export" "readme readme" "photos photos" "model_input model_input" "static static")
    separate_arguments(entry)
    list(GET entry 0 name)
    list(GET entry 1 file)
    add_test(NAME ${name} COMMAND python3 "${PROJECT_SOURCE_DIR}/tests/e2e/${file}_test.py" $<TARGET_FILE:mgd>)
  endforeach()
endfunction()

# For tests/core/fault_test.cpp: a program that saves, and a library that makes its system calls fail.
function(mgd_fault_tools)
  if(NOT MGD_TESTS OR NOT TARGET test_core)
    return()
  endif()
  add_library(fault_shim MODULE "${PROJECT_SOURCE_DIR}/tests/core/fault_shim.c")
  target_link_libraries(fault_shim PRIVATE ${CMAKE_DL_LIBS})
  # A sanitizer's runtime must come first in a process, so the preloaded library is built without one.
  target_compile_options(fault_shim PRIVATE -Wall -Wextra -Werror -fno-sanitize=all)
  target_link_options(fault_shim PRIVATE -fno-sanitize=all)
  add_executable(fault_saver "${PROJECT_SOURCE_DIR}/tests/core/fault/saver.cpp")
  target_link_libraries(fault_saver PRIVATE mgd_core mgd_warnings)
  target_compile_definitions(test_core PRIVATE
    MGD_FAULT_SHIM="$<TARGET_FILE:fault_shim>" MGD_FAULT_SAVER="$<TARGET_FILE:fault_saver>")
  add_dependencies(test_core fault_shim fault_saver)
endfunction()

# The reference safetensors library reads what mgd writes, and the reverse; 77 = it is not installed.
function(mgd_safetensors_test)
  set(python "${PROJECT_SOURCE_DIR}/.venv/bin/python")
  if(NOT MGD_TESTS OR NOT TARGET test_io OR NOT EXISTS "${python}")
    message(STATUS "The safetensors round trip is skipped: no .venv/bin/python")
    return()
  endif()
  add_test(NAME safetensors
    COMMAND "${python}" "${PROJECT_SOURCE_DIR}/scripts/check_safetensors_roundtrip.py" $<TARGET_FILE:test_io>)
  set_tests_properties(safetensors PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 120)
endfunction()

# What is compiled for one instruction set stays there. Without optimisation inline functions are emitted, so only a release tells.
function(mgd_isa_symbols_test)
  if(MGD_TESTS AND TARGET mgd_kernels AND CMAKE_BUILD_TYPE STREQUAL "Release" AND NOT MGD_SANITIZE)
    add_test(NAME isa_symbols
      COMMAND python3 "${PROJECT_SOURCE_DIR}/scripts/check_isa_symbols.py" $<TARGET_OBJECTS:mgd_kernels>
      COMMAND_EXPAND_LISTS)
  endif()
endfunction()

# Once all folders are known.
if(PROJECT_IS_TOP_LEVEL)
  cmake_language(DEFER CALL mgd_isa_symbols_test)
  cmake_language(DEFER CALL mgd_fault_tools)
  cmake_language(DEFER CALL mgd_safetensors_test)
endif()
