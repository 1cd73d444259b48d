# What `cmake --install` gives: bin/mgd with libexec/mgd/mgd-torch, the public headers, the libraries, and find_package(mgd) with the target mgd::mgd.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# The whole library under one name: mgd::mgd, for add_subdirectory and find_package alike.
function(mgd_library)
  get_property(folders GLOBAL PROPERTY MGD_FOLDERS)
  list(TRANSFORM folders PREPEND "mgd_" OUTPUT_VARIABLE libraries)
  add_library(mgd_library INTERFACE)
  target_link_libraries(mgd_library INTERFACE ${libraries})
  set_target_properties(mgd_library PROPERTIES EXPORT_NAME mgd)
  add_library(mgd::mgd ALIAS mgd_library)
endfunction()

function(mgd_install)
  get_property(folders GLOBAL PROPERTY MGD_FOLDERS)
  list(TRANSFORM folders PREPEND "mgd_" OUTPUT_VARIABLE libraries)
  foreach(folder ${folders})
    set_target_properties(mgd_${folder} PROPERTIES EXPORT_NAME ${folder})
  endforeach()

  install(TARGETS mgd_library ${libraries} EXPORT mgdTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}/mgd)
  # At install time, because what a header includes changes without a new configuration.
  install(CODE "set(SOURCE \"${PROJECT_SOURCE_DIR}/src\")\nset(DESTINATION \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_INCLUDEDIR}\")")
  install(SCRIPT "${PROJECT_SOURCE_DIR}/cmake/install_headers.cmake")
  if(TARGET mgd)
    install(TARGETS mgd RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
    install(TARGETS mgd_torch RUNTIME DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/mgd)
  endif()

  set(config_dir ${CMAKE_INSTALL_LIBDIR}/cmake/mgd)
  install(EXPORT mgdTargets NAMESPACE mgd:: DESTINATION ${config_dir})
  configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/mgdConfig.cmake.in" "${PROJECT_BINARY_DIR}/mgdConfig.cmake"
    INSTALL_DESTINATION ${config_dir})
  write_basic_package_version_file("${PROJECT_BINARY_DIR}/mgdConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
  install(FILES "${PROJECT_BINARY_DIR}/mgdConfig.cmake" "${PROJECT_BINARY_DIR}/mgdConfigVersion.cmake"
    "${PROJECT_SOURCE_DIR}/cmake/FindLibTorch.cmake" DESTINATION ${config_dir})
endfunction()

# Installs into the build folder, then configures, builds and runs the example against that.
function(mgd_install_test)
  if(NOT TARGET mgd)
    return()
  endif()
  add_test(NAME install COMMAND ${CMAKE_COMMAND}
    -DSOURCE=${PROJECT_SOURCE_DIR} -DBUILD=${PROJECT_BINARY_DIR} -DLIBTORCH=${LibTorch_ROOT}
    -DCXX=${CMAKE_CXX_COMPILER} -DGENERATOR=${CMAKE_GENERATOR} -DLAUNCHER=${CCACHE_PROGRAM}
    "-DFLAGS=${CMAKE_CXX_FLAGS}" "-DSANITIZE=${MGD_SANITIZE}"
    -P "${PROJECT_SOURCE_DIR}/tests/install_test.cmake")
  set_tests_properties(install PROPERTIES TIMEOUT 600)
endfunction()
