# Read by cpack: a program that wants a library of this machine's cache folder is of use to nobody else.
if(CPACK_QVM_PRIVATE_LIBRARY)
  message(FATAL_ERROR "the program wants Unicorn from ${CPACK_QVM_PRIVATE_LIBRARY}, which no package has: build the preset release, which links it statically")
endif()
