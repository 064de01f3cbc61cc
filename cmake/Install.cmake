# cmake --install: the program, and one library that find_package(lookback)
# offers as lookback::lookback. It is every layer but cli and bench in one archive, so
# that a consumer links one thing, whatever the layers are.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

get_property(layers GLOBAL PROPERTY lookback_layers)
list(REMOVE_ITEM layers cli bench)
set(objects "")
set(LOOKBACK_DEPENDENCIES "")  # the lookback_dep_* the archive needs at link time
foreach(layer ${layers})
  list(APPEND objects $<TARGET_OBJECTS:lookback_${layer}>)
  get_property(private GLOBAL PROPERTY lookback_private_${layer})
  list(FILTER private INCLUDE REGEX "^lookback_dep_")
  list(APPEND LOOKBACK_DEPENDENCIES ${private})
endforeach()
list(REMOVE_DUPLICATES LOOKBACK_DEPENDENCIES)

add_library(lookback_library STATIC ${objects})
set_target_properties(lookback_library PROPERTIES OUTPUT_NAME lookback EXPORT_NAME lookback)
target_include_directories(lookback_library INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_compile_features(lookback_library PUBLIC cxx_std_20)
target_link_libraries(lookback_library PUBLIC Threads::Threads)

set(package ${CMAKE_INSTALL_LIBDIR}/cmake/lookback)
install(TARGETS lookback_program)
if(LOOKBACK_OPENCV)
  install(TARGETS lookback_opencv LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/lookback)
endif()
install(TARGETS lookback_library EXPORT lookbackTargets)
install(EXPORT lookbackTargets NAMESPACE lookback:: DESTINATION ${package})
foreach(layer ${layers})
  if(NOT layer STREQUAL kernels)  # private to ops, and through internal.h only
    file(GLOB headers RELATIVE ${CMAKE_SOURCE_DIR} CONFIGURE_DEPENDS lookback/${layer}/*.h)
    foreach(header ${headers})
      file(STRINGS ${header} purpose LIMIT_COUNT 1)
      if(NOT purpose MATCHES "^// (Private to|For tests)")  # what opens so stays here
        install(FILES ${header} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/lookback/${layer})
      endif()
    endforeach()
  endif()
endforeach()
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

configure_package_config_file(${CMAKE_SOURCE_DIR}/cmake/lookbackConfig.cmake.in
  ${CMAKE_BINARY_DIR}/lookbackConfig.cmake INSTALL_DESTINATION ${package} PATH_VARS CMAKE_INSTALL_INCLUDEDIR)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/lookbackConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/lookbackConfig.cmake ${CMAKE_BINARY_DIR}/lookbackConfigVersion.cmake
  cmake/Dependencies.cmake DESTINATION ${package})
