# For Linux with musl as the C library, with its compiler and the libraries of scripts/musl.sh. The program
# needs no library.
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES QVM_CACHE)
include(${CMAKE_CURRENT_LIST_DIR}/Cache.cmake)
set(CMAKE_C_COMPILER musl-gcc)
set(CMAKE_EXE_LINKER_FLAGS_INIT -static)
set(CMAKE_FIND_ROOT_PATH ${QVM_CACHE}/musl)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(ENV{PKG_CONFIG_LIBDIR} ${QVM_CACHE}/musl/lib/pkgconfig)
