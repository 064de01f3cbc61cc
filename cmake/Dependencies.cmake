# Every library we do not write, as one interface target each: lookback_dep_NAME.
# find_package first, then pkg-config; nothing is downloaded.
find_package(OpenMP REQUIRED)  # oneDNN asks for it
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)

function(lookback_dependency name debian_package)
  cmake_parse_arguments(ARG "" "HEADER;MINIMUM" "TARGETS;LIBRARIES" ${ARGN})
  add_library(lookback_dep_${name} INTERFACE)
  foreach(lib ${ARG_TARGETS})
    target_link_libraries(lookback_dep_${name} INTERFACE ${lib})
  endforeach()
  foreach(lib ${ARG_LIBRARIES})
    find_library(lookback_${name}_${lib} ${lib})
    if(NOT lookback_${name}_${lib})
      message(FATAL_ERROR "lib${lib} is missing: apt-get install ${debian_package}")
    endif()
    target_link_libraries(lookback_dep_${name} INTERFACE ${lookback_${name}_${lib}})
  endforeach()
  if(ARG_HEADER AND NOT LOOKBACK_LINK_ONLY)  # whoever links the installed library needs no headers
    find_path(lookback_${name}_include ${ARG_HEADER})
    if(NOT lookback_${name}_include)
      message(FATAL_ERROR "${ARG_HEADER} is missing: apt-get install ${debian_package}")
    endif()
  endif()
endfunction()

lookback_dependency(dnnl libdnnl-dev HEADER oneapi/dnnl/dnnl.hpp TARGETS OpenMP::OpenMP_CXX LIBRARIES dnnl)
lookback_dependency(hwy libhwy-dev HEADER hwy/highway.h LIBRARIES hwy)
lookback_dependency(sentencepiece libsentencepiece-dev HEADER sentencepiece_processor.h LIBRARIES sentencepiece sentencepiece_train)
lookback_dependency(utf8proc libutf8proc-dev HEADER utf8proc.h LIBRARIES utf8proc)
lookback_dependency(icu libicu-dev HEADER unicode/uchar.h LIBRARIES icuuc icui18n)
lookback_dependency(zlib zlib1g-dev HEADER zlib.h LIBRARIES z)
lookback_dependency(png libpng-dev HEADER png.h LIBRARIES png)
lookback_dependency(json nlohmann-json3-dev HEADER nlohmann/json.hpp)
lookback_dependency(toml libtomlplusplus-dev HEADER toml++/toml.h)

# PNG pictures with text. Optional: a build without it says what is missing when one is asked for. Only its headers
# are needed here: the library is loaded when the first picture is drawn.
pkg_check_modules(LOOKBACK_PANGOCAIRO pangocairo>=1.44)
add_library(lookback_dep_pangocairo INTERFACE)
if(LOOKBACK_PANGOCAIRO_FOUND)
  target_include_directories(lookback_dep_pangocairo SYSTEM INTERFACE ${LOOKBACK_PANGOCAIRO_INCLUDE_DIRS})
  target_link_libraries(lookback_dep_pangocairo INTERFACE ${CMAKE_DL_LIBS})
  target_compile_definitions(lookback_dep_pangocairo INTERFACE LOOKBACK_PANGOCAIRO)
else()
  message(STATUS "no PNG pictures of attention: apt-get install libpango1.0-dev")
endif()
