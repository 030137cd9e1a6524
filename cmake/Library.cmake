# libqvm (include/qvm.h): the program's core as a shared library. Its objects are its own: they can be
# anywhere in memory, and no symbol but those of the interface is seen outside. Variables of threads are
# where a program's are, as in it: calls for their places would be in the way of every block.
include(GNUInstallDirs)
file(GLOB library CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/library/*.c)
foreach(folder emu mmu cpu vdev hv)
  get_target_property(sources qvm_${folder} SOURCES)
  list(APPEND library ${sources})
endforeach()
foreach(part config_files files pull live/text_watch host/host_lock)
  list(APPEND library ${CMAKE_SOURCE_DIR}/qvm/${part}.c)
endforeach()
add_library(qvm_library SHARED ${library} ${host})
set_target_properties(qvm_library PROPERTIES OUTPUT_NAME qvm VERSION ${PROJECT_VERSION}
                      SOVERSION ${PROJECT_VERSION_MAJOR} INSTALL_RPATH_USE_LINK_PATH ON
                      POSITION_INDEPENDENT_CODE ON
                      C_VISIBILITY_PRESET hidden PUBLIC_HEADER ${CMAKE_SOURCE_DIR}/include/qvm.h)
target_compile_options(qvm_library PRIVATE -ftls-model=initial-exec)
target_compile_definitions(qvm_library PRIVATE QVM_VERSION="${PROJECT_VERSION}")
target_include_directories(qvm_library INTERFACE ${CMAKE_SOURCE_DIR}/include)
find_package(Threads REQUIRED)
target_link_libraries(qvm_library PRIVATE qvm::zstd qvm::zlib qvm::xxhash qvm::fdt Threads::Threads
                      ${host_libraries})
target_link_options(qvm_library PRIVATE -Wl,-z,defs -Wl,--version-script=${CMAKE_SOURCE_DIR}/library/libqvm.map)
set_target_properties(qvm_library PROPERTIES LINK_DEPENDS ${CMAKE_SOURCE_DIR}/library/libqvm.map)

if(NOT QVM_ENGINE STREQUAL none)
  target_include_directories(qvm_library SYSTEM PRIVATE
                             $<TARGET_PROPERTY:qvm::unicorn,INTERFACE_INCLUDE_DIRECTORIES>
                             $<TARGET_PROPERTY:qvm::capstone,INTERFACE_INCLUDE_DIRECTORIES>)
  qvm_take_engine_in(qvm_library)
  if(QVM_ENGINE_ARCHIVES)
    target_link_libraries(qvm_library PRIVATE ${QVM_ENGINE_ARCHIVES})
    if(QVM_INTERPOSE)
      target_compile_definitions(qvm_library PRIVATE QVM_INTERPOSE)
    endif()
  else() # whose functions a library cannot replace
    target_link_libraries(qvm_library PRIVATE qvm::unicorn qvm::capstone)
  endif()
endif()

configure_file(library/libqvm.pc.in libqvm.pc @ONLY)
install(TARGETS qvm_library LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
        PUBLIC_HEADER DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/libqvm.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
