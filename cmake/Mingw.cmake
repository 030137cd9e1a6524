# For Windows, with the cross compiler and the libraries of scripts/mingw.sh. The program needs no
# library that a Windows does not have.
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES QVM_CACHE)
include(${CMAKE_CURRENT_LIST_DIR}/Cache.cmake)
set(CMAKE_SYSTEM_NAME Windows)
set(CMAKE_SYSTEM_PROCESSOR x86_64)
set(CMAKE_C_COMPILER x86_64-w64-mingw32-gcc)
set(CMAKE_EXE_LINKER_FLAGS_INIT -static)
set(CMAKE_FIND_ROOT_PATH ${QVM_CACHE}/mingw)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(ENV{PKG_CONFIG_LIBDIR} ${QVM_CACHE}/mingw/lib/pkgconfig)
# Tests are run by Wine, with a folder of its own.
set(CMAKE_CROSSCOMPILING_EMULATOR env WINEDEBUG=-all WINEPREFIX=${QVM_CACHE}/wine /usr/lib/wine/wine64)
