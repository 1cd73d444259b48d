# cmake -DPROGRAM=mgd-torch -DTEMPLATE=command_table.cpp.in -DOUT=FILE -P write_command_table.cmake
execute_process(COMMAND "${PROGRAM}" --describe OUTPUT_VARIABLE MGD_TABLE RESULT_VARIABLE status)
if(NOT status EQUAL 0)
  message(FATAL_ERROR "${PROGRAM} --describe: exit code ${status}")
endif()
configure_file("${TEMPLATE}" "${OUT}" @ONLY)
