# The libraries qvm uses, each as an imported target qvm::NAME.
find_package(PkgConfig REQUIRED)

function(qvm_pkg name module version)
  pkg_check_modules(${name} QUIET IMPORTED_TARGET "${module}>=${version}")
  if(NOT ${name}_FOUND)
    message(FATAL_ERROR "${module} >= ${version} not found: run ./check, or install its development package")
  endif()
  add_library(qvm::${name} ALIAS PkgConfig::${name})
endfunction()

qvm_pkg(zstd libzstd 1.4)
qvm_pkg(zlib zlib 1.2)
qvm_pkg(xxhash libxxhash 0.8)

# libfdt has no pkg-config file on Debian 12.
find_library(FDT_LIBRARY fdt REQUIRED)
find_path(FDT_INCLUDE libfdt.h REQUIRED)
add_library(qvm::fdt UNKNOWN IMPORTED)
set_target_properties(qvm::fdt PROPERTIES IMPORTED_LOCATION ${FDT_LIBRARY}
                      INTERFACE_INCLUDE_DIRECTORIES ${FDT_INCLUDE})

# The user network; without it the program has none (qvm/host/host_net_none.c). Its library brings
# glib, which is none to link statically, and the file that uses it polls as POSIX does. Its file for
# pkg-config wants what glib's users need.
option(QVM_SLIRP "the user network, if libslirp is there" ON)
if(QVM_SLIRP AND NOT WIN32 AND NOT QVM_STATIC)
  find_library(SLIRP_LIBRARY slirp)
  find_path(SLIRP_INCLUDE slirp/libslirp.h)
  if(SLIRP_LIBRARY AND SLIRP_INCLUDE)
    add_library(qvm::slirp UNKNOWN IMPORTED)
    set_target_properties(qvm::slirp PROPERTIES IMPORTED_LOCATION ${SLIRP_LIBRARY}
                          INTERFACE_INCLUDE_DIRECTORIES ${SLIRP_INCLUDE})
  endif()
endif()

if(QVM_ENGINE STREQUAL none)
  return()
endif()
qvm_pkg(capstone capstone 4.0)

# Unicorn: the system's when it is new enough, else what scripts/setup.sh put in the cache,
# else (on request) upstream's release.
include(${CMAKE_CURRENT_LIST_DIR}/Cache.cmake)
if(QVM_FETCH_UNICORN)
  include(FetchContent)
  set(UNICORN_ARCH "aarch64;x86" CACHE STRING "" FORCE)
  set(UNICORN_BUILD_TESTS OFF CACHE BOOL "" FORCE)
  FetchContent_Declare(unicorn
    GIT_REPOSITORY https://github.com/unicorn-engine/unicorn.git
    GIT_TAG 8028ec436f2d9376525352dd38ed9ed6b9f6be10)
  FetchContent_MakeAvailable(unicorn)
  add_library(qvm_unicorn INTERFACE)
  target_link_libraries(qvm_unicorn INTERFACE unicorn)
  target_include_directories(qvm_unicorn SYSTEM INTERFACE ${unicorn_SOURCE_DIR}/include)
  add_library(qvm::unicorn ALIAS qvm_unicorn)
else()
  pkg_check_modules(unicorn QUIET IMPORTED_TARGET "unicorn>=2.1.3")
  if(unicorn_FOUND)
    add_library(qvm::unicorn ALIAS PkgConfig::unicorn)
  else()
    # What is in the cache is of the machine that brought it: no other one is built with it.
    set(folders "${QVM_CACHE}/unicorn/usr/lib/${CMAKE_LIBRARY_ARCHITECTURE}")
    if(NOT CMAKE_CROSSCOMPILING AND CMAKE_SYSTEM_PROCESSOR STREQUAL CMAKE_HOST_SYSTEM_PROCESSOR)
      list(APPEND folders "${QVM_CACHE}/unicorn/usr/lib")
      if(NOT CMAKE_LIBRARY_ARCHITECTURE)
        list(APPEND folders "${QVM_CACHE}/unicorn/usr/lib/*")
      endif()
    endif()
    list(TRANSFORM folders APPEND "/libunicorn.so.2")
    file(GLOB cached ${folders})
    if(NOT cached)
      message(FATAL_ERROR "Unicorn >= 2.1.3 for ${CMAKE_SYSTEM_PROCESSOR} not found: run ./check, which brings it, or configure with -DQVM_FETCH_UNICORN=ON")
    endif()
    list(GET cached 0 cached)
    get_filename_component(cached_dir ${cached} DIRECTORY)
    set(QVM_UNICORN_LIBRARY_DIR ${cached_dir})
    add_library(qvm::unicorn UNKNOWN IMPORTED)
    set_target_properties(qvm::unicorn PROPERTIES IMPORTED_LOCATION ${cached}
                          INTERFACE_INCLUDE_DIRECTORIES ${QVM_CACHE}/unicorn/usr/include)
    set_property(TARGET qvm::unicorn PROPERTY INTERFACE_LINK_OPTIONS -Wl,-rpath,${cached_dir})
  endif()
endif()
