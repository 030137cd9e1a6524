# QVM_CACHE: the folder in which scripts keep what they bring, as scripts/private_apt.sh says it.
set(QVM_CACHE "$ENV{QVM_CACHE}" CACHE PATH "Where scripts keep what they bring")
if(QVM_CACHE STREQUAL "")
  if(DEFINED ENV{XDG_CACHE_HOME})
    set(QVM_CACHE "$ENV{XDG_CACHE_HOME}/qvm")
  else()
    set(QVM_CACHE "$ENV{HOME}/.cache/qvm")
  endif()
endif()
