# The gRPC service's messages and stubs, made from the wire definitions that scripts/setup.sh brings.
set(wire_set "${PROJECT_SOURCE_DIR}/.deps/wire/inference.pb")
if(NOT EXISTS "${wire_set}")
  message(FATAL_ERROR "The wire definitions are missing: there is no ${wire_set}. Run scripts/setup.sh first.")
endif()
find_program(wire_protoc protoc REQUIRED)
find_program(wire_plugin grpc_cpp_plugin REQUIRED)
set(wire_out "${PROJECT_BINARY_DIR}/wire")
file(MAKE_DIRECTORY "${wire_out}")
add_custom_command(
  OUTPUT "${wire_out}/model_config.pb.cc" "${wire_out}/model_config.pb.h" "${wire_out}/grpc_service.pb.cc"
         "${wire_out}/grpc_service.pb.h" "${wire_out}/grpc_service.grpc.pb.cc" "${wire_out}/grpc_service.grpc.pb.h"
  COMMAND "${wire_protoc}" "--descriptor_set_in=${wire_set}" "--cpp_out=${wire_out}" model_config.proto
          grpc_service.proto
  COMMAND "${wire_protoc}" "--descriptor_set_in=${wire_set}" "--grpc_out=${wire_out}"
          "--plugin=protoc-gen-grpc=${wire_plugin}" grpc_service.proto
  DEPENDS "${wire_set}"
  COMMENT "Making the gRPC service's messages")
# Generated code: not warned of.
add_library(wire STATIC "${wire_out}/model_config.pb.cc" "${wire_out}/grpc_service.pb.cc")
target_include_directories(wire SYSTEM PUBLIC "${wire_out}")
target_link_libraries(wire PUBLIC protobuf::libprotobuf)
if(BASCULE_SANITIZE MATCHES thread)
  # protobuf's headers lay their classes out differently under ThreadSanitizer than the distribution's library has them.
  target_compile_options(wire PUBLIC -U__SANITIZE_THREAD__)
endif()
add_library(wire_service STATIC "${wire_out}/grpc_service.grpc.pb.cc")
target_link_libraries(wire_service PUBLIC wire gRPC::grpc++)
