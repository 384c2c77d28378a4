# ONNX Runtime: the system's package where there is one, else what scripts/setup.sh unpacked into .deps/.
find_package(onnxruntime QUIET)
if(NOT TARGET onnxruntime::onnxruntime)
  set(ort_root "${PROJECT_SOURCE_DIR}/.deps/onnxruntime")
  set(ort_library "${ort_root}/lib/libonnxruntime.so.1")
  if(NOT EXISTS "${ort_library}" OR NOT EXISTS "${ort_root}/include/onnxruntime_cxx_api.h")
    message(FATAL_ERROR "ONNX Runtime is missing: no CMake package and nothing in ${ort_root}. "
                        "Run scripts/setup.sh first.")
  endif()
  add_library(onnxruntime::onnxruntime SHARED IMPORTED)
  set_target_properties(onnxruntime::onnxruntime PROPERTIES
    IMPORTED_LOCATION "${ort_library}"
    IMPORTED_SONAME libonnxruntime.so.1
    INTERFACE_INCLUDE_DIRECTORIES "${ort_root}/include")
endif()
