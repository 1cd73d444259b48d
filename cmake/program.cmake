# The command, in two programs: `mgd`, which links nothing heavy and starts at once, and `mgd-torch`, which computes and which
# `mgd` becomes when it has to. `mgd` explains and checks every verb by a table that `mgd-torch --describe` writes.
function(mgd_program)
  add_executable(mgd_torch "${PROJECT_SOURCE_DIR}/src/mgd/cli/main.cpp")
  set_target_properties(mgd_torch PROPERTIES OUTPUT_NAME mgd-torch)
  target_link_libraries(mgd_torch PRIVATE mgd_cli mgd_warnings)

  set(table "${PROJECT_BINARY_DIR}/generated/command_table.cpp")
  set(template "${PROJECT_SOURCE_DIR}/cmake/command_table.cpp.in")
  set(script "${PROJECT_SOURCE_DIR}/cmake/write_command_table.cmake")
  # configure_file leaves an unchanged table alone; the stamp says that it was looked at.
  add_custom_command(OUTPUT "${table}.stamp" BYPRODUCTS "${table}"
    COMMAND ${CMAKE_COMMAND} -DPROGRAM=$<TARGET_FILE:mgd_torch> -DTEMPLATE=${template} -DOUT=${table} -P "${script}"
    COMMAND ${CMAKE_COMMAND} -E touch "${table}.stamp"
    DEPENDS mgd_torch "${template}" "${script}" VERBATIM)
  add_executable(mgd "${PROJECT_SOURCE_DIR}/src/mgd/front/main.cpp" "${table}" "${table}.stamp")
  target_link_libraries(mgd PRIVATE mgd_front mgd_warnings)
endfunction()

# What `mgd` finds its other part by, once installed.
function(mgd_libexec_path)
  include(GNUInstallDirs)
  file(RELATIVE_PATH libexec "/prefix/${CMAKE_INSTALL_BINDIR}" "/prefix/${CMAKE_INSTALL_LIBEXECDIR}/mgd")
  set_source_files_properties("${PROJECT_SOURCE_DIR}/src/mgd/front/torch_program.cpp" PROPERTIES
    COMPILE_DEFINITIONS "MGD_LIBEXEC=\"${libexec}\"")
endfunction()
