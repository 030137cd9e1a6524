# What is installed, and packages of it: `cmake --install`, `cpack -G DEB`.
include(GNUInstallDirs)
install(TARGETS qvm RUNTIME)
if(WIN32 AND NOT CMAKE_CROSSCOMPILING) # a Windows has none of its libraries
  get_filename_component(folder ${CMAKE_C_COMPILER} DIRECTORY)
  install(CODE "
    file(GET_RUNTIME_DEPENDENCIES EXECUTABLES $<TARGET_FILE:qvm> RESOLVED_DEPENDENCIES_VAR libraries
         DIRECTORIES \"${folder}\" PRE_EXCLUDE_REGEXES ^api-ms- ^ext-ms- POST_EXCLUDE_REGEXES [Ss]ystem32)
    file(INSTALL \${libraries} DESTINATION \${CMAKE_INSTALL_PREFIX}/bin)")
endif()
install(FILES README.md LICENSE packaging/copyright DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs DESTINATION ${CMAKE_INSTALL_DOCDIR} FILES_MATCHING PATTERN *.md) # README's links lead there
install(DIRECTORY configs DESTINATION ${CMAKE_INSTALL_DATADIR}/qvm)

# What is linked in statically brings its notices.
foreach(library unicorn capstone)
  string(TOUPPER ${library} name)
  get_filename_component(folder "${${name}_ARCHIVE}" DIRECTORY)
  foreach(notice ${folder}/../../share/doc/lib${library}-dev/copyright ${folder}/../share/doc/lib${library}-dev/copyright)
    if(QVM_ENGINE_ARCHIVES AND EXISTS ${notice})
      install(FILES ${notice} DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME copyright.${library})
      break()
    endif()
  endforeach()
endforeach()

# Manual pages are made of the documents' tables.
find_package(Python3 QUIET COMPONENTS Interpreter)
if(Python3_Interpreter_FOUND)
  file(GLOB documents CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/docs/*.md)
  file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/man)
  foreach(page qvm.1 qvmconf.5 qvmtest.5)
    set(made ${CMAKE_BINARY_DIR}/man/${page})
    set(from ${CMAKE_SOURCE_DIR}/packaging/man)
    add_custom_command(
      OUTPUT ${made}
      COMMAND Python3::Interpreter ${from}/man.py ${from}/${page}.in ${PROJECT_VERSION} ${made}
      DEPENDS ${from}/man.py ${from}/${page}.in ${documents} VERBATIM)
    string(REGEX MATCH "[0-9]$" chapter ${page})
    install(FILES ${made} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${chapter})
    list(APPEND pages ${made})
  endforeach()
  add_custom_target(man ALL DEPENDS ${pages})
else()
  message(STATUS "No Python 3: manual pages are not made")
endif()

# The package has the engine in it, where that works (cmake/StaticEngine.cmake): a Debian that has no
# Unicorn >= 2.1.3 can install it, and what a recording gives does not change with another package.
set(CPACK_PACKAGE_VENDOR qvm)
set(CPACK_PACKAGE_CONTACT "the qvm project <qvm@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "deterministic AArch64 emulator with a hypervisor model")
set(CPACK_PACKAGE_DESCRIPTION "qvm runs virtual machines in software, the same on every host.
A run can be recorded, and a recording replays exactly, in gdb also backwards.
It answers questions about recordings, and runs tests of guests.")
set(CPACK_STRIP_FILES ON)
string(TOLOWER "${CMAKE_SYSTEM_NAME}" system)
string(REPLACE darwin macos system "${system}")
string(TOLOWER "${CMAKE_SYSTEM_PROCESSOR}" processor)
string(REGEX REPLACE "^(amd64|x86_64)$" x86-64 processor "${processor}")
string(REGEX REPLACE "^aarch64$" arm64 processor "${processor}")
set(CPACK_PACKAGE_FILE_NAME qvm-${PROJECT_VERSION}-${system}-${processor}) # as packaging/action.sh asks for
set(CPACK_GENERATOR TGZ)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION otherosfs)
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "gdb-multiarch")
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_PROJECT_CONFIG_FILE ${CMAKE_SOURCE_DIR}/cmake/PackageCheck.cmake)
if(QVM_UNICORN_LIBRARY_DIR AND NOT QVM_ENGINE_ARCHIVES)
  set(CPACK_QVM_PRIVATE_LIBRARY ${QVM_UNICORN_LIBRARY_DIR})
endif()
include(CPack)
