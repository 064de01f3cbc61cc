# lookback_layer(NAME PUBLIC dep... PRIVATE dep...)
# One static library from every .cpp in lookback/NAME, without its tests. A dep
# is another layer, a lookback_dep_*, or an imported target.
set_property(GLOBAL PROPERTY lookback_layers "")

add_library(lookback_flags INTERFACE)
target_compile_options(lookback_flags INTERFACE -Wall -Wextra -Wno-missing-field-initializers $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>
  -ffp-contract=off -fno-math-errno)
# A compiler that CI does not build with may warn of what we have not seen: it is shown, and the build goes on.
if(LOOKBACK_WERROR AND "${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}" MATCHES "^(GNU 12|Clang 14)\\.")
  target_compile_options(lookback_flags INTERFACE -Werror)
endif()
# Of a layer, a program takes what it calls.
target_compile_options(lookback_flags INTERFACE $<$<CONFIG:Release>:-ffunction-sections$<SEMICOLON>-fdata-sections>)
target_link_options(lookback_flags INTERFACE $<$<CONFIG:Release>:-Wl,--gc-sections>)
if(LOOKBACK_SANITIZE)
  # Of debug information, what a report needs: lines. With -O2 compiling takes longer than the tests gain.
  target_compile_options(lookback_flags INTERFACE -fsanitize=${LOOKBACK_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all -g1
    $<$<NOT:$<CONFIG:Debug>>:-O1>)
  target_link_options(lookback_flags INTERFACE -fsanitize=${LOOKBACK_SANITIZE})
endif()

# A third of the time to compile is the parsing of the same headers. The first target of a group makes the precompiled
# one, the others, which must have the same flags, take it over.
option(LOOKBACK_PRECOMPILE "precompile the headers that most files include" ON)
if(LOOKBACK_PRECOMPILE)
  # GCC forgets on the way that those headers are the system's, and warns of what it sees in them.
  target_compile_options(lookback_flags INTERFACE
    $<$<CXX_COMPILER_ID:GNU>:-Wno-stringop-overflow$<SEMICOLON>-Wno-array-bounds>)
endif()
# GCC 12 loses the equality of two names of std::string on the way.
set_source_files_properties(${CMAKE_SOURCE_DIR}/lookback/base/fields.cpp PROPERTIES SKIP_PRECOMPILE_HEADERS ON)
function(lookback_precompile target group header)
  if(NOT LOOKBACK_PRECOMPILE)
    return()
  endif()
  get_property(owner GLOBAL PROPERTY lookback_precompiled_${group})
  if(owner)
    target_precompile_headers(${target} REUSE_FROM ${owner})
  else()
    target_precompile_headers(${target} PRIVATE ${CMAKE_SOURCE_DIR}/cmake/${header})
    set_property(GLOBAL PROPERTY lookback_precompiled_${group} ${target})
  endif()
endfunction()

# Layers that leave computing to others: there, the size of the program and time to compile count more.
set(lookback_cold_layers bench cli io picture tasks viz)

# For the environment of every test of our code. Only outside libraries stand in those files.
set(LOOKBACK_SANITIZER_OPTIONS
  "LSAN_OPTIONS=suppressions=${CMAKE_SOURCE_DIR}/tests/lsan.supp:print_suppressions=0"
  "TSAN_OPTIONS=suppressions=${CMAKE_SOURCE_DIR}/tests/tsan.supp:print_suppressions=0")
if(LOOKBACK_SANITIZE MATCHES "thread")
  # Plain loops take some thirty times as long there. Left out is what only goes through many sizes and texts, half a
  # minute to five each: other tests run the same products on several threads, and tokenizers start none of ours.
  set(slow MatmulKernels.TableAgrees MatmulExactness.RowsOfTheTableDependOnThemselvesAlone
    SpmModel.CutAndChangedModels TrainingLines.AnyWordCanBeEncoded TrainingLines.TokenizersAreTrainedWhateverTheWords
    WordTokenizer.NmtNfkcIsThatOfSentencePiece)
elseif(LOOKBACK_SANITIZE)
  # Minutes, for memory that other tests read as well.
  set(slow MatmulExactness.RowsOfTheTableDependOnThemselvesAlone MatmulExactness.WeightGradientsDoNotSeeThreads)
endif()
if(LOOKBACK_SANITIZE)
  list(JOIN slow ":" slow)
  list(APPEND LOOKBACK_SANITIZER_OPTIONS "GTEST_FILTER=-${slow}")
endif()

function(lookback_resolve out)
  set(result "")
  foreach(dep ${ARGN})
    if(TARGET lookback_${dep})
      list(APPEND result lookback_${dep})
    elseif(TARGET lookback_dep_${dep})
      list(APPEND result lookback_dep_${dep})
    else()
      list(APPEND result ${dep})
    endif()
  endforeach()
  set(${out} "${result}" PARENT_SCOPE)
endfunction()

function(lookback_layer name)
  cmake_parse_arguments(ARG "" "" "PUBLIC;PRIVATE" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/lookback/${name}/*.cpp)
  set(tests ${sources})
  list(FILTER tests INCLUDE REGEX "_test\\.cpp$")
  list(FILTER sources EXCLUDE REGEX "_(test|module)\\.cpp$|/main\\.cpp$")
  list(LENGTH sources count)
  if(count EQUAL 0)
    file(WRITE ${CMAKE_BINARY_DIR}/empty_${name}.cpp "")
    set(sources ${CMAKE_BINARY_DIR}/empty_${name}.cpp)
  endif()
  add_library(lookback_${name} STATIC ${sources})
  target_include_directories(lookback_${name} PUBLIC
    $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}> $<INSTALL_INTERFACE:include>)
  if(name IN_LIST lookback_cold_layers)
    target_compile_options(lookback_${name} PRIVATE $<$<CONFIG:Release>:-Os>)
    lookback_precompile(lookback_${name} cold precompiled.h)
  elseif(NOT name STREQUAL kernels)  # whose files are Highway's headers, several times over
    lookback_precompile(lookback_${name} library precompiled.h)
  endif()
  lookback_resolve(public ${ARG_PUBLIC})
  lookback_resolve(private ${ARG_PRIVATE})
  target_link_libraries(lookback_${name} PUBLIC ${public} PRIVATE ${private} $<BUILD_INTERFACE:lookback_flags>)
  set_property(GLOBAL PROPERTY lookback_tests_${name} "${tests}")
  set_property(GLOBAL PROPERTY lookback_private_${name} "${private}")
  set_property(GLOBAL APPEND PROPERTY lookback_layers ${name})
endfunction()

# What every test program has: few of them spend their time in their own code.
function(lookback_test_flags target)
  target_link_libraries(${target} PRIVATE GTest::gtest_main lookback_flags)
  target_compile_definitions(${target} PRIVATE LOOKBACK_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  target_compile_options(${target} PRIVATE $<$<NOT:$<CONFIG:Debug>>:-O1>)
  lookback_precompile(${target} test precompiled_test.h)
endfunction()

# One test program per layer that has tests: lookback_test_NAME.
function(lookback_layer_tests)
  find_package(GTest REQUIRED)
  include(GoogleTest)
  get_property(layers GLOBAL PROPERTY lookback_layers)
  foreach(name ${layers})
    get_property(tests GLOBAL PROPERTY lookback_tests_${name})
    if(tests)
      get_property(private GLOBAL PROPERTY lookback_private_${name})
      add_executable(lookback_test_${name} ${tests})
      target_link_libraries(lookback_test_${name} PRIVATE lookback_${name} ${private})
      lookback_test_flags(lookback_test_${name})
      add_test(NAME ${name} COMMAND lookback_test_${name})
      set(sanitizers ${LOOKBACK_SANITIZER_OPTIONS})
      if(name STREQUAL picture)
        # Where OpenCV and what it brings are loaded late, the leak checker now and then crashes over their thread-local
        # memory, after all tests.
        list(TRANSFORM sanitizers REPLACE "^LSAN_OPTIONS=" "LSAN_OPTIONS=use_tls=0:")
      endif()
      set_tests_properties(${name} PROPERTIES TIMEOUT 900 ENVIRONMENT "${sanitizers}")
    endif()
  endforeach()
endfunction()
