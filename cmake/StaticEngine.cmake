# Unicorn and Capstone as archives, for the program alone (tests use the shared libraries). Starting
# does not relocate hundreds of thousands of places by name, and the code that is generated lies near
# the functions it calls (cpu/unicorn/code_buffer.c): docs/performance.md.
#
# A copy of Unicorn's archive is linked in which
#   mmap64 is engine_mmap64   which asks for places near the program
#   crc32 has another name    zlib's is meant by everybody else
#   check_exit_request_aarch64, helper_uc_hooksys64_aarch64, helper_wfe_aarch64 are weak
#                                 with QVM_INTERPOSE ours win (cpu/unicorn/arm64/interpose.c)
# What leads to architectures that the program does not have is a function of ours to the linker: nothing
# of them is linked in.
#
# Sets QVM_ENGINE_ARCHIVES, empty where the archives are missing or a small program made with them
# does not work. --no-relax: GNU ld up to 2.40 turns "push foo@GOTPCREL" into a call.
set(QVM_ENGINE_ARCHIVES "")
get_target_property(shared qvm::unicorn ALIASED_TARGET)
if(NOT shared)
  set(shared qvm::unicorn)
endif()
get_target_property(unicorn_include ${shared} INTERFACE_INCLUDE_DIRECTORIES)
find_library(UNICORN_ARCHIVE libunicorn.a HINTS ${QVM_UNICORN_LIBRARY_DIR} ${unicorn_LIBRARY_DIRS})
find_library(CAPSTONE_ARCHIVE libcapstone.a HINTS ${capstone_LIBRARY_DIRS})
if(NOT UNICORN_ARCHIVE OR NOT CAPSTONE_ARCHIVE OR NOT CMAKE_OBJCOPY OR CMAKE_CROSSCOMPILING)
  return()
endif()

set(engine ${CMAKE_BINARY_DIR}/engine/libunicorn.a)
set(left_out ${CMAKE_BINARY_DIR}/engine/left-out.ld)
set(QVM_ENGINE_OPTIONS -Wl,--no-relax -Wl,-z,pack-relative-relocs ${left_out})
if(${UNICORN_ARCHIVE} IS_NEWER_THAN ${engine} OR ${CMAKE_CURRENT_LIST_FILE} IS_NEWER_THAN ${engine})
  set(script "")
  foreach(other arm m68k mips mipsel mips64 mips64el ppc ppc64 riscv32 riscv64 s390x sparc sparc64 tricore x86_64)
    foreach(function uc_init reg_read reg_write)
      string(APPEND script "${function}_${other} = engine_left_out;\n")
    endforeach()
  endforeach()
  foreach(other ARM BPF EVM M680X M68K MOS65XX Mips PPC RISCV SH Sparc SystemZ TMS320C64x TriCore WASM X86 XCore)
    string(APPEND script "${other}_global_init = engine_left_out;\n${other}_option = engine_left_out;\n")
  endforeach()
  file(WRITE ${left_out} "${script}")
  execute_process(COMMAND ${CMAKE_OBJCOPY} --redefine-sym mmap64=engine_mmap64
                          --redefine-sym crc32=engine_crc32
                          --weaken-symbol=check_exit_request_aarch64
                          --weaken-symbol=helper_uc_hooksys64_aarch64
                          --weaken-symbol=helper_wfe_aarch64 ${UNICORN_ARCHIVE} ${engine}
                  RESULT_VARIABLE failed OUTPUT_QUIET ERROR_QUIET)
  if(failed)
    file(REMOVE ${engine})
    return()
  endif()
  unset(QVM_ENGINE_WORKS CACHE)
endif()
if(NOT DEFINED QVM_ENGINE_WORKS)
  try_run(result compiled ${CMAKE_BINARY_DIR}/engine
          SOURCES ${CMAKE_SOURCE_DIR}/cmake/engine_works.c ${CMAKE_SOURCE_DIR}/cpu/unicorn/code_buffer.c
          CMAKE_FLAGS -DINCLUDE_DIRECTORIES=${unicorn_include}
          LINK_OPTIONS ${QVM_ENGINE_OPTIONS}
          LINK_LIBRARIES ${engine} m pthread)
  if(compiled AND result EQUAL 0)
    set(QVM_ENGINE_WORKS ON CACHE INTERNAL "")
  else()
    set(QVM_ENGINE_WORKS OFF CACHE INTERNAL "")
  endif()
endif()
if(QVM_ENGINE_WORKS)
  set(QVM_ENGINE_ARCHIVES ${engine} ${CAPSTONE_ARCHIVE} m pthread)
endif()
