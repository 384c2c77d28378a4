# One static library per room, with its tests, warnings and header check.
option(BASCULE_WERROR "Treat warnings as errors" OFF)
set(BASCULE_SANITIZE "" CACHE STRING "Value of -fsanitize= for every target of the project")

add_library(bascule_flags INTERFACE)
target_compile_options(bascule_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Wnon-virtual-dtor
  -Wno-missing-field-initializers
  # g++ 12 sees uninitialised vectors in a moved std::variant at -O2 where there are none.
  $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>
  $<$<BOOL:${BASCULE_WERROR}>:-Werror>)
if(BASCULE_SANITIZE MATCHES thread)
  # With ThreadSanitizer's calls in between, g++ 12 no longer sees that a length cannot be negative.
  target_compile_options(bascule_flags INTERFACE -Wno-stringop-overflow -Wno-array-bounds)
endif()
if(BASCULE_SANITIZE)
  add_compile_options(-fsanitize=${BASCULE_SANITIZE} -fno-omit-frame-pointer
                      -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${BASCULE_SANITIZE})
endif()

# bascule_room(NAME HEADERS … SOURCES … DEPS rooms… LIBS public-third-party… PRIVATE_LIBS … TESTS … TEST_LIBS …)
#   NAME       the room; a leaf such as backend/fake is named backend_fake
#   HEADERS    public headers; each must compile alone
#   DEPS       rooms, by name
#   TESTS      *_test.cc beside the sources; all link into one program NAME_test
function(bascule_room name)
  cmake_parse_arguments(ROOM "" "" "HEADERS;SOURCES;DEPS;LIBS;PRIVATE_LIBS;TESTS;TEST_LIBS" ${ARGN})
  set(target bascule_${name})
  set(kind PUBLIC)
  if(ROOM_SOURCES)
    add_library(${target} STATIC ${ROOM_SOURCES})
    target_link_libraries(${target} PRIVATE bascule_flags ${ROOM_PRIVATE_LIBS})
  else()
    set(kind INTERFACE)
    add_library(${target} INTERFACE)
  endif()
  add_library(bascule::${name} ALIAS ${target})
  target_sources(${target} ${kind} FILE_SET HEADERS
                 BASE_DIRS "${PROJECT_SOURCE_DIR}/src" FILES ${ROOM_HEADERS})
  target_include_directories(${target} ${kind} "${PROJECT_SOURCE_DIR}/src")
  list(TRANSFORM ROOM_DEPS PREPEND bascule::)
  target_link_libraries(${target} ${kind} ${ROOM_DEPS} ${ROOM_LIBS})
  if(BASCULE_TESTS AND ROOM_TESTS)
    add_executable(${name}_test ${ROOM_TESTS})
    target_link_libraries(${name}_test PRIVATE bascule_flags ${target} ${ROOM_TEST_LIBS}
                          bascule_test_main)
    target_compile_definitions(${name}_test PRIVATE
                               BASCULE_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
    gtest_discover_tests(${name}_test NO_PRETTY_VALUES DISCOVERY_TIMEOUT 60 DISCOVERY_MODE PRE_TEST
                         PROPERTIES TIMEOUT 120)
  endif()
endfunction()

if(BASCULE_TESTS)
  find_package(GTest REQUIRED)
  include(GoogleTest)
  add_library(bascule_test_main INTERFACE)
  target_link_libraries(bascule_test_main INTERFACE GTest::gtest GTest::gmock GTest::gmock_main)
endif()
