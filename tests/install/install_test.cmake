# cmake -DBUILD=.. -DSOURCE=.. -DWORK=.. -DCXX=.. -P install_test.cmake
# Installs BUILD, moves the result (an installed tree must not know where it
# was born), then builds the consumer and every example against it.
cmake_minimum_required(VERSION 3.25)

function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE out ERROR_VARIABLE out)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "${ARGN}: ${status}\n${out}")
  endif()
  set(out "${out}" PARENT_SCOPE)
endfunction()

function(build source work)
  run(${CMAKE_COMMAND} -S ${source} -B ${work} -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_COMPILER=${CXX}
      -DCMAKE_PREFIX_PATH=${WORK}/prefix)
  run(${CMAKE_COMMAND} --build ${work})
endfunction()

file(REMOVE_RECURSE ${WORK})
run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${WORK}/born)
file(RENAME ${WORK}/born ${WORK}/prefix)

file(GLOB_RECURSE kernels ${WORK}/prefix/include/lookback/kernels/*)
if(kernels)
  message(FATAL_ERROR "kernel headers are private, but these were installed: ${kernels}")
endif()
file(GLOB_RECURSE exported ${WORK}/prefix/*.cmake)
foreach(file ${exported})
  file(STRINGS ${file} lines)
  foreach(path ${WORK} ${BUILD} ${SOURCE})
    string(FIND "${lines}" "${path}/" at)
    if(NOT at EQUAL -1)
      message(FATAL_ERROR "${file} names ${path}: the installed tree cannot be moved")
    endif()
  endforeach()
endforeach()

build(${SOURCE}/tests/install/consumer ${WORK}/consumer)
run(${WORK}/consumer/consumer)
if(NOT out STREQUAL "[2,3]\n")
  message(FATAL_ERROR "the consumer printed '${out}', expected [2,3]")
endif()
run(${WORK}/prefix/bin/lookback version)

file(GLOB examples ${SOURCE}/examples/*/CMakeLists.txt)
foreach(example ${examples})
  get_filename_component(folder ${example} DIRECTORY)
  get_filename_component(name ${folder} NAME)
  message(STATUS "examples/${name}")
  build(${folder} ${WORK}/examples/${name})
endforeach()

run(${WORK}/examples/train/train)

# A model that has hardly learnt anything is enough to see that the example loads, translates and draws.
set(pairs "")
foreach(n RANGE 1 40)
  string(APPEND pairs "ein Hund ${n}\ta dog ${n}\n")
endforeach()
file(WRITE ${WORK}/pairs.tsv "${pairs}")
file(WRITE ${WORK}/tiny.toml "task = \"translate\"
[data]
train = [\"pairs.tsv\"]
valid = [\"pairs.tsv\"]
columns = [\"1\", \"2\"]
[tokenizer]
kind = \"char\"
[model]
encoder = { hidden = 8 }
decoder = { hidden = 8 }
embedding = 8
[train]
max_steps = 3
")
run(${WORK}/prefix/bin/lookback train ${WORK}/tiny.toml --out ${WORK}/tiny --quiet)
run(${WORK}/examples/embed/embed ${WORK}/tiny "ein Hund 7")
