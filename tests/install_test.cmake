# Installs the built tree into BUILD/install-test and uses it as a stranger would: configure, build, run the example, and a program
# that stands on Torch's own package as well.
# cmake -DSOURCE= -DBUILD= -DLIBTORCH= -DCXX= -DGENERATOR= [-DLAUNCHER= -DFLAGS= -DSANITIZE=] -P install_test.cmake
cmake_minimum_required(VERSION 3.25)

function(run what)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "${what}: exit code ${status}\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

set(work "${BUILD}/install-test")
file(REMOVE_RECURSE "${work}")
run("install" ${CMAKE_COMMAND} --install "${BUILD}" --prefix "${work}/prefix")

foreach(path bin/mgd libexec/mgd/mgd-torch include/mgd/core/error.h include/mgd/loss/loss.h)
  if(NOT EXISTS "${work}/prefix/${path}")
    message(FATAL_ERROR "install: no ${path}")
  endif()
endforeach()
if(EXISTS "${work}/prefix/include/mgd/kernels/winograd_tiles.h")
  message(FATAL_ERROR "install: headers that are nobody's business")
endif()
run("the installed program" "${work}/prefix/bin/mgd" --help)
run("its part that computes" "${work}/prefix/bin/mgd" inspect cifar_resnet8)

set(flags "${FLAGS}")
if(SANITIZE)
  string(APPEND flags " -fsanitize=${SANITIZE}")
endif()
# Configures, builds and runs the program NAME of the project in SOURCE/FOLDER.
function(use folder name)
  run("configure ${name}" ${CMAKE_COMMAND} -S "${SOURCE}/${folder}" -B "${work}/${name}" -G "${GENERATOR}"
    "-DCMAKE_PREFIX_PATH=${work}/prefix" "-DTorch_DIR=${LIBTORCH}/share/cmake/Torch" "-DMGD_LIBTORCH=${LIBTORCH}" -DCMAKE_BUILD_TYPE=Release
    "-DCMAKE_CXX_COMPILER=${CXX}" "-DCMAKE_CXX_COMPILER_LAUNCHER=${LAUNCHER}" "-DCMAKE_CXX_FLAGS=${flags}")
  run("build ${name}" ${CMAKE_COMMAND} --build "${work}/${name}")
  run("run ${name}" ${CMAKE_COMMAND} -E chdir "${work}/${name}" "${work}/${name}/${name}")
  set(output "${output}" PARENT_SCOPE)
endfunction()

use(tests/install beside_torch)
if(NOT output MATCHES "{fmt} [0-9]+ for all")
  message(FATAL_ERROR "run beside_torch: got '${output}', expected the version of {fmt}")
endif()
use(examples/distill_loss distill_loss)
if(NOT output MATCHES "mgd loss: ([0-9.]+)" OR CMAKE_MATCH_1 LESS_EQUAL 0)
  message(FATAL_ERROR "run the example: got '${output}', expected 'mgd loss: ' and a positive number")
endif()
use(examples/own_parts own_parts)
if(NOT output MATCHES "steps 20 and 60, threads agree: true, right: 1.00")
  message(FATAL_ERROR "run own_parts: got '${output}', expected to be stopped at step 20 of 60, and all pictures right")
endif()
message(STATUS "${output}")
file(REMOVE_RECURSE "${work}")
