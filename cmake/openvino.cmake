# OpenVINO: what scripts/setup.sh unpacked into .deps/. Only headers are needed here; the library is loaded when the first model
# wants it, beside the program's other libraries, from this folder, or from the system's (src/backend/openvino/openvino_library.h).
set(openvino_root "${PROJECT_SOURCE_DIR}/.deps/openvino")
file(GLOB openvino_library "${openvino_root}/lib/libopenvino_c.so.*")
if(NOT openvino_library OR NOT EXISTS "${openvino_root}/include/openvino/c/openvino.h")
  message(FATAL_ERROR "OpenVINO is missing: nothing in ${openvino_root}. Run scripts/setup.sh first.")
endif()
get_filename_component(openvino_soname "${openvino_library}" NAME)
add_library(bascule_openvino_headers INTERFACE)
target_include_directories(bascule_openvino_headers SYSTEM INTERFACE "${openvino_root}/include")
target_compile_definitions(bascule_openvino_headers INTERFACE
  BASCULE_OPENVINO_LIBRARY="${openvino_soname}"
  BASCULE_OPENVINO_FOLDER="${openvino_root}/lib")
