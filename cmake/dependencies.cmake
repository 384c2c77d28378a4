# Every dependency, one line of reason each. Versions are the distribution's (Debian 12) unless said.
find_package(Threads REQUIRED)
# fmt, spdlog: formatting and logs; the pair most C++ servers use (MIT).
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
# CLI11: flags and --help without a parser of our own (BSD-3-Clause).
find_package(CLI11 REQUIRED)
# zlib: compressed requests and answers, with a limit on what comes out (Zlib).
find_package(ZLIB REQUIRED)
# yaml-cpp: configuration files (MIT).
find_package(yaml-cpp REQUIRED)
# prometheus-cpp: counters and histograms in the exposition format that monitoring reads (MIT).
find_package(prometheus-cpp REQUIRED COMPONENTS core)
# simdjson: the fast JSON reader of the hot path (Apache-2.0).
find_package(simdjson REQUIRED)
# nlohmann/json: JSON in cold paths and tests (MIT).
find_package(nlohmann_json REQUIRED)
# OpenSSL: digests and random bits of keys, TLS; what the distribution keeps patched (Apache-2.0).
find_package(OpenSSL 3 REQUIRED)
# libcurl: fetches what URLs name, with a look at every address before it is connected to (curl).
find_package(CURL 7.85 REQUIRED)
# libmosquitto: MQTT, what machines on a factory floor listen to (EPL-2.0 or EDL-1.0, linked dynamically).
find_package(PkgConfig REQUIRED)
pkg_check_modules(mosquitto REQUIRED IMPORTED_TARGET libmosquitto>=2.0)
# SQLite: files that survive power cuts: alerts that wait to be delivered, how far a batch run has come (public domain).
find_package(SQLite3 3.40 REQUIRED)
# libjq: rules of applications; users know jq, and it runs on the very JSON that they see (MIT). It brings no package file.
find_path(JQ_INCLUDE jq.h REQUIRED)
find_library(JQ_LIBRARY NAMES libjq.so REQUIRED)
add_library(jq::jq UNKNOWN IMPORTED)
set_target_properties(jq::jq PROPERTIES IMPORTED_LOCATION "${JQ_LIBRARY}" INTERFACE_INCLUDE_DIRECTORIES "${JQ_INCLUDE}")
# Boost.Beast/Asio: HTTP and sockets, coroutines, later TLS and WebSocket on the same stream (BSL-1.0).
find_package(Boost 1.81 REQUIRED)
# libcsv: CSV as it comes, strictly after RFC 4180, with a limit on a field (LGPL-2.1, linked dynamically).
find_path(CSV_INCLUDE csv.h REQUIRED)
find_library(CSV_LIBRARY NAMES libcsv.so REQUIRED)
add_library(csv::csv UNKNOWN IMPORTED)
set_target_properties(csv::csv PROPERTIES IMPORTED_LOCATION "${CSV_LIBRARY}" INTERFACE_INCLUDE_DIRECTORIES "${CSV_INCLUDE}")
# TurboJPEG: JPEG in and out, byte for byte what OpenCV decodes (BSD-3-Clause).
pkg_check_modules(turbojpeg REQUIRED IMPORTED_TARGET libturbojpeg)
# libspng: PNG in and out with limits before allocation (BSD-2-Clause).
pkg_check_modules(spng REQUIRED IMPORTED_TARGET spng)
# libwebp: WebP in (BSD-3-Clause).
pkg_check_modules(webp REQUIRED IMPORTED_TARGET libwebp)
# libwebpdemux: the first frame of an animated WebP (BSD-3-Clause).
pkg_check_modules(webpdemux REQUIRED IMPORTED_TARGET libwebpdemux)
# libtiff: TIFF in, through the interface that OpenCV uses (libtiff licence). 4.5 tells errors to their file.
find_package(TIFF 4.5 REQUIRED)
# giflib: GIF in (MIT).
find_package(GIF 5 REQUIRED)
# libavif, dav1d, libheif, libde265: AVIF and HEIC in (BSD-2-Clause, twice; LGPL-3.0, twice). Only their headers are needed here: the
# libraries are loaded when the first such picture comes, see src/image/shared_library.h.
pkg_check_modules(avif REQUIRED libavif>=0.11 libavif<0.12)
pkg_check_modules(dav1d REQUIRED dav1d>=1.0 dav1d<1.1)
pkg_check_modules(heif REQUIRED libheif>=1.15 libheif<2)
pkg_check_modules(de265 REQUIRED libde265>=1.0.11)
add_library(bascule_loaded_codecs INTERFACE)
target_include_directories(bascule_loaded_codecs SYSTEM INTERFACE ${avif_INCLUDE_DIRS} ${dav1d_INCLUDE_DIRS} ${heif_INCLUDE_DIRS} ${de265_INCLUDE_DIRS})
# ONNX Runtime: the engine with the widest model coverage (MIT). scripts/setup.sh brings a pinned one.
include(onnxruntime)
# OpenVINO: the engine that is fastest on most processors, with bfloat16 and 8 bits (Apache-2.0). scripts/setup.sh brings a pinned one.
include(openvino)
# pugixml: what an OpenVINO .xml says of its model, which the engine's C interface does not tell (MIT).
find_package(pugixml REQUIRED)
# protobuf, grpc++: the gRPC front end and Triton's configuration text; the field's own wire (BSD-3-Clause, Apache-2.0).
find_package(Protobuf REQUIRED)
# Abseil: what grpc++ is built on; asked once, not to look for lock cycles (Apache-2.0). gRPC's package finds it.
find_package(gRPC CONFIG REQUIRED)
include(wire)
