#!/usr/bin/env bash
# Brings what a build needs onto a Debian 12 machine. Safe to run again: what is there already is left alone.
#
#   scripts/setup.sh             what the build and the demo need
#   scripts/setup.sh --tests     and what scripts/test.sh needs
#   scripts/setup.sh --bench     and what bench/ needs
#   scripts/setup.sh --tidy      and what the `tidy` preset needs
#   scripts/setup.sh --fuzz      and what scripts/fuzz.sh needs
#
# Everything comes from where this machine already gets its software: apt's own source and pip's own index.
# The engines are unpacked into .deps/ and never installed. See docs/decisions/0003-where-onnxruntime-comes-from.md and 0007.
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
deps="$root/.deps"
venv="$root/.venv"
python=/usr/bin/python3  # Debian's own: whatever else is first in PATH may be any version

# The apt packages, by what wants them.
build_packages=(
  g++ cmake ninja-build pkg-config
  ccache                # a second build in seconds
  mold                  # links in a tenth of the time of ld
  libboost1.81-dev      # Beast and Asio: HTTP. Debian's default 1.74 has no Beast that is new enough
  libsimdjson-dev nlohmann-json3-dev
  libfmt-dev libspdlog-dev libcli11-dev libyaml-cpp-dev prometheus-cpp-dev
  libturbojpeg0-dev libspng-dev libwebp-dev libtiff-dev libgif-dev
  libavif-dev libdav1d-dev libheif-dev libde265-dev  # headers; the libraries are loaded when the first such picture comes
  libcsv-dev            # tables
  libpugixml-dev        # OpenVINO's model files
  libgrpc++-dev protobuf-compiler-grpc libprotobuf-dev protobuf-compiler  # gRPC
  zlib1g-dev            # compressed requests
  libcurl4-openssl-dev  # picture URLs
  libmosquitto-dev      # MQTT: alerts to a broker, pictures from one
  libsqlite3-dev        # alerts that wait, how far a batch run has come
  libjq-dev             # rules of applications
  curl                  # the demo asks the server with it
  ca-certificates       # for pip, where its index is reached over TLS with the system's certificates
  python3 python3-venv  # brings the ONNX Runtime wheel through pip
)
test_packages=(
  git                   # the house rules look at what is committed
  libgtest-dev libgmock-dev
  libb64-0d             # perf_analyzer is linked to it
  mosquitto mosquitto-clients  # a real broker and its clients; run as programs on a port of a test's own
  ffmpeg                # videos: run as a program, not linked
  gir1.2-gst-rtsp-server-1.0 python3-gi gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad  # a real RTSP server (126 MB), with H.264
  clang-format-19       # Debian's default 14 formats C++23 differently
)
bench_packages=(wrk nghttp2-client)  # wrk for HTTP/1.1, h2load for gRPC
tidy_packages=(
  clang-tidy-19         # Debian's default 14 cannot parse std::expected
)
fuzz_packages=(
  clang-19 libclang-rt-19-dev  # libFuzzer and the sanitizers' runtimes
  llvm-19               # names in what a sanitizer prints
)

# ONNX Runtime: the library out of the Python wheel, the headers out of Debian trixie's package. The C API is
# versioned, so that headers of 1.21 on a library of 1.32 are supported use.
ort_version=1.32.0
ort_headers_version=1.21.0+dfsg-1
ort_headers_suite=trixie
# OpenVINO: the libraries and the headers of its C interface, both out of the Python wheel.
openvino_version=2026.4.1
case "$(uname -m)" in
  x86_64)
    openvino_platform=manylinux_2_28_x86_64
    openvino_sha256=2d22b1da03f7caf74df30e9f6417d0ab2f637e4a38e08e1dcd294d2c37407aaf
    wheel_platform=manylinux_2_28_x86_64
    wheel_sha256=5a34fc4dfeb5a7b4a74c95dcba1e773d722abda720b474edf1b0c419dc6d163d
    headers_sha256=14f7d959d5deacbcf1504830d4189f91fc67382b399ed9ae9d3aa9c4050ced08
    ;;
  aarch64)
    openvino_platform=manylinux_2_35_aarch64
    openvino_sha256=bea1eb3733c34ef331adc945da0ccda5937865031139073663be84c517ffda22
    wheel_platform=manylinux_2_28_aarch64
    wheel_sha256=2303372a85299b6757b0e11e1cbf13e410ddf7e10c37f4b37e99d1c90e7daf7c
    headers_sha256=d4b1967893865756c0fa8536be165259a8eb0e9068e60d322ba707ef4527e44e
    ;;
  *) wheel_platform= ;;
esac

# The gRPC service's wire definitions, out of the Python wheel of Triton's client.
wire_version=2.73.0
wire_sha256=1f5cec19b0568e037ec4d716ae702984b3ab93e35f72b8f72c5135374dd2be9a

say() { printf 'setup: %s\n' "$*"; }
fail() {
  printf 'setup: failed: %s\n' "$*" >&2
  exit 1
}

work=
clean_up() { if [[ -n "$work" ]]; then rm -rf "$work"; fi; }
trap clean_up EXIT

# Runs a command quietly; its output is shown where it fails.
quietly() {
  local log="$work/log"
  "$@" >"$log" 2>&1 && return 0
  sed 's/^/  | /' "$log" >&2
  return 1
}

check_system() {
  [[ -n "$wheel_platform" ]] ||
    fail "this machine is a $(uname -m); Bascule is built for x86_64 and aarch64."
  [[ -r /etc/os-release ]] || fail "/etc/os-release is missing, so that the system cannot be told; this script knows Debian 12."
  # shellcheck source=/dev/null
  . /etc/os-release
  [[ "${ID:-}" == debian && "${VERSION_ID:-}" == 12 ]] ||
    fail "this is ${PRETTY_NAME:-an unknown system}; this script knows Debian 12. Install what CMakeLists.txt asks for by hand, and ONNX Runtime with its headers into .deps/onnxruntime/{include,lib}."
  codename="${VERSION_CODENAME:-bookworm}"
}

install_packages() {
  local missing=() package
  for package in "$@"; do
    [[ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" == installed ]] || missing+=("$package")
  done
  if ((${#missing[@]} == 0)); then
    say "all $# apt packages are there."
    return
  fi
  local as_root=()
  if ((EUID != 0)); then
    if ! command -v sudo >/dev/null; then
      say "these apt packages are missing, and neither root nor sudo is at hand. Run this as root, then this script again:"
      printf '  apt-get update && apt-get install -y --no-install-recommends %s\n' "${missing[*]}"
      fail "${#missing[@]} apt packages are missing."
    fi
    as_root=(sudo)
  fi
  say "installing ${#missing[@]} apt packages: ${missing[*]}"
  local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3)
  quietly "${apt[@]}" update || fail "'apt-get update' failed; the lines above say why."
  quietly "${apt[@]}" install -y --no-install-recommends "${missing[@]}" ||
    fail "'apt-get install' failed; the lines above say why."
}

make_venv() {
  if [[ -x "$venv/bin/python" ]] && "$venv/bin/python" -m pip --version >/dev/null 2>&1; then return; fi
  say "making the Python environment .venv with $("$python" --version)."
  quietly "$python" -m venv --clear "$venv" || fail "'$python -m venv .venv' failed; the lines above say why."
}

# check_sha256 FILE SHA256
check_sha256() {
  local got
  got="$(sha256sum "$1" | cut -d ' ' -f 1)"
  [[ "$got" == "$2" ]] ||
    fail "$(basename "$1") has the sha256 $got, but $2 is pinned in scripts/setup.sh. It is not used."
}

# Writes this system's own Debian source, with the suite that has the headers, as an apt source file into $1.
# Reads both forms that Debian 12 machines have: *.sources (deb822) and one-line *.list.
copy_debian_source() {
  local out="$1" file
  for file in /etc/apt/sources.list.d/*.sources; do
    [[ -r "$file" ]] || continue
    # A paragraph whose Suites name this release itself (not -updates or -security alone), and is not disabled.
    grep -v '^[[:space:]]*#' "$file" | awk -v codename="$codename" -v suite="$ort_headers_suite" '
      BEGIN { RS = ""; FS = "\n" }
      !done {
        fits = 0; binary = 0; off = 0
        for (i = 1; i <= NF; ++i) {
          n = split($i, word, /[ \t]+/)
          field = tolower(word[1])
          for (j = 2; j <= n; ++j) {
            if (field == "suites:" && (word[j] == codename || word[j] ~ /^(old)*stable$/)) fits = 1
            if (field == "types:" && word[j] == "deb") binary = 1
            if (field == "enabled:" && tolower(word[j]) ~ /^(no|false|0|off|without|disable)$/) off = 1
          }
        }
        if (fits && binary && !off) {
          for (i = 1; i <= NF; ++i) {
            field = tolower($i)
            if (field ~ /^suites:/) print "Suites: " suite
            else if (field ~ /^types:/) print "Types: deb"
            else if (field ~ /^components:/) print "Components: main"
            else print $i
          }
          done = 1
        }
      }' >"$out/debian.sources"
    [[ -s "$out/debian.sources" ]] && { echo "$file"; return; }
  done
  rm -f "$out/debian.sources"
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    [[ -r "$file" ]] || continue
    # deb [options] address suite components
    awk -v codename="$codename" -v suite="$ort_headers_suite" '
      /^deb[ \t]/ && !done {
        line = $0; options = ""
        sub(/#.*/, "", line); sub(/^deb[ \t]+/, "", line)
        if (match(line, /^\[[^]]*\][ \t]*/)) { options = substr(line, 1, RLENGTH); line = substr(line, RLENGTH + 1) }
        split(line, word, /[ \t]+/)
        if (word[2] == codename || word[2] ~ /^(old)*stable$/) {
          if (line ~ /[ \t]main([ \t]|$)/) { print "deb " options word[1] " " suite " main"; done = 1 }
        }
      }' "$file" >"$out/debian.list"
    [[ -s "$out/debian.list" ]] && { echo "$file"; return; }
  done
  return 1
}

bring_headers() {
  local into="$1" apt_root="$work/apt" source package
  mkdir -p "$apt_root"/{sourceparts,lists/partial,cache/archives/partial,download}
  source="$(copy_debian_source "$apt_root/sourceparts")" ||
    fail "no enabled Debian source for '$codename' stands in /etc/apt/sources.list or /etc/apt/sources.list.d, so that the ONNX Runtime headers cannot be fetched."
  say "fetching the headers of ONNX Runtime $ort_headers_version (Debian $ort_headers_suite, source of $source; unpacked, not installed)."
  # Private lists and cache: the system's apt does not learn of the other suite.
  local apt=(apt-get -q -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$apt_root/sourceparts"
             -o Dir::State::lists="$apt_root/lists" -o Dir::Cache="$apt_root/cache" -o Acquire::Languages=none
             -o Acquire::Retries=3 -o APT::Sandbox::User=root)
  quietly "${apt[@]}" --error-on=any update || fail "the package list of Debian $ort_headers_suite could not be fetched; the lines above say why."
  (cd "$apt_root/download" && quietly "${apt[@]}" download "libonnxruntime-dev=$ort_headers_version") ||
    fail "libonnxruntime-dev $ort_headers_version could not be fetched; the lines above say why."
  package="$(find "$apt_root/download" -name 'libonnxruntime-dev_*.deb')"
  [[ -n "$package" ]] || fail "apt-get said that it fetched libonnxruntime-dev, but no package is there."
  check_sha256 "$package" "$headers_sha256"
  quietly dpkg-deb -x "$package" "$apt_root/x" || fail "$(basename "$package") could not be unpacked."
  mkdir -p "$into/include"
  cp "$apt_root"/x/usr/include/onnxruntime/*.h "$into/include/" || fail "libonnxruntime-dev holds no headers where they are expected."
  [[ -s "$into/include/onnxruntime_cxx_api.h" ]] || fail "libonnxruntime-dev holds no onnxruntime_cxx_api.h."
}

bring_library() {
  local into="$1" wheel
  say "fetching the library of ONNX Runtime $ort_version (Python wheel for $wheel_platform; unpacked, not installed)."
  quietly "$venv/bin/python" -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
      --implementation cp --python-version 311 --abi cp311 --platform "$wheel_platform" \
      --dest "$work/wheel" "onnxruntime==$ort_version" ||
    fail "pip could not fetch onnxruntime==$ort_version; the lines above say why."
  wheel="$(find "$work/wheel" -name 'onnxruntime-*.whl')"
  [[ -n "$wheel" ]] || fail "pip said that it fetched onnxruntime, but no wheel is there."
  check_sha256 "$wheel" "$wheel_sha256"
  quietly "$python" -m zipfile -e "$wheel" "$work/wheel/x" || fail "$(basename "$wheel") could not be unpacked."
  mkdir -p "$into/lib"
  cp "$work/wheel/x/onnxruntime/capi/libonnxruntime.so.$ort_version" "$into/lib/libonnxruntime.so.1" ||
    fail "the wheel holds no libonnxruntime.so.$ort_version."
  chmod 755 "$into/lib/libonnxruntime.so.1"
  cp "$work/wheel/x/onnxruntime/LICENSE" "$work/wheel/x/onnxruntime/ThirdPartyNotices.txt" "$into/" ||
    fail "the wheel holds no licence texts."
}

bring_onnxruntime() {
  local there="$deps/onnxruntime" wanted
  wanted="library $ort_version $wheel_sha256 headers $ort_headers_version $headers_sha256"
  if [[ -e "$there/lib/libonnxruntime.so.1" && -e "$there/include/onnxruntime_cxx_api.h" &&
        "$(cat "$there/version" 2>/dev/null)" == "$wanted" ]]; then
    say "ONNX Runtime $ort_version is in .deps/."
    return
  fi
  mkdir -p "$work/onnxruntime"
  bring_library "$work/onnxruntime"
  bring_headers "$work/onnxruntime"
  echo "$wanted" >"$work/onnxruntime/version"
  rm -rf "$there"
  mv "$work/onnxruntime" "$there" || fail ".deps/onnxruntime could not be written."
  say "ONNX Runtime $ort_version is in .deps/onnxruntime."
}

# The C library with what it loads on a CPU: the readers of each format, the processor's plugin, oneTBB.
bring_openvino() {
  local there="$deps/openvino" wanted="openvino $openvino_version $openvino_sha256 1" wheel
  if [[ -e "$there/include/openvino/c/openvino.h" && "$(cat "$there/version" 2>/dev/null)" == "$wanted" ]]; then
    say "OpenVINO $openvino_version is in .deps/."
    return
  fi
  say "fetching OpenVINO $openvino_version (59 MB; Python wheel for $openvino_platform; unpacked, not installed)."
  quietly "$venv/bin/python" -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
      --implementation cp --python-version 311 --abi cp311 --platform "$openvino_platform" \
      --dest "$work/openvino_wheel" "openvino==$openvino_version" ||
    fail "pip could not fetch openvino==$openvino_version; the lines above say why."
  wheel="$(find "$work/openvino_wheel" -name 'openvino-*.whl')"
  [[ -n "$wheel" ]] || fail "pip said that it fetched openvino, but no wheel is there."
  check_sha256 "$wheel" "$openvino_sha256"
  mkdir -p "$work/openvino"
  quietly "$python" - "$wheel" "$work/openvino" <<'PYTHON' || fail "$(basename "$wheel") could not be unpacked."
import fnmatch, pathlib, sys, zipfile

wheel, out = map(pathlib.Path, sys.argv[1:])
# What is not here: other devices, readers of formats that are not served, the Python side.
libraries = ["libopenvino.so.*", "libopenvino_c.so.*", "libopenvino_*_cpu_plugin.so", "libopenvino_ir_frontend.so.*",
             "libopenvino_onnx_frontend.so.*", "libopenvino_paddle_frontend.so.*",
             "libopenvino_tensorflow_frontend.so.*", "libopenvino_tensorflow_lite_frontend.so.*", "libtbb*", "libhwloc*"]
with zipfile.ZipFile(wheel) as archive:
    for member in archive.namelist():
        path = pathlib.PurePosixPath(member)
        if member.startswith("openvino/libs/") and any(fnmatch.fnmatch(path.name, name) for name in libraries):
            target = out / "lib" / path.name
        elif member.startswith("openvino/include/openvino/c/") and path.suffix == ".h":
            target = out / path.relative_to("openvino")
        elif "/licenses/" in member and not member.endswith("/"):
            target = out / "licenses" / member.split("/licenses/")[1]
        else:
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(archive.read(member))
        if target.parent.name == "lib":
            target.chmod(0o755)
(out / "include/openvino/c/openvino.h").stat()
next((out / "lib").glob("libopenvino_c.so.*"))
PYTHON
  rm -rf "$wheel" "$there"
  echo "$wanted" >"$work/openvino/version"
  mv "$work/openvino" "$there" || fail ".deps/openvino could not be written."
  say "OpenVINO $openvino_version is in .deps/openvino."
}

bring_wire_definitions() {
  local there="$deps/wire" wanted wheel
  wanted="tritonclient $wire_version $wire_sha256"
  if [[ -e "$there/inference.pb" && "$(cat "$there/version" 2>/dev/null)" == "$wanted" ]]; then
    say "the wire definitions of tritonclient $wire_version are in .deps/."
    return
  fi
  say "fetching the wire definitions of the gRPC service (tritonclient $wire_version; read, not installed)."
  quietly "$venv/bin/python" -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
      --platform any --dest "$work/wire" "tritonclient==$wire_version" ||
    fail "pip could not fetch tritonclient==$wire_version; the lines above say why."
  wheel="$(find "$work/wire" -name 'tritonclient-*.whl')"
  [[ -n "$wheel" ]] || fail "pip said that it fetched tritonclient, but no wheel is there."
  check_sha256 "$wheel" "$wire_sha256"
  quietly "$python" "$root/scripts/wire_definitions.py" "$wheel" "$work/wire/inference.pb" ||
    fail "the wire definitions could not be read; the lines above say why."
  rm "$wheel"
  echo "$wanted" >"$work/wire/version"
  rm -rf "$there"
  mv "$work/wire" "$there" || fail ".deps/wire could not be written."
}

# Triton's load generator, out of the last wheel that carries it, and the CUDA runtime that it is linked to and
# does not use here. Tests run it as it is; nothing of it is built or shipped.
bring_perf_analyzer() {
  local there="$deps/perf_analyzer" wanted="tritonclient 2.48.0, cuda-runtime 12.9.79" package
  if [[ "$(uname -m)" != x86_64 ]]; then say "perf_analyzer is made for x86_64 alone; its tests are skipped."; return; fi
  if [[ "$(cat "$there/version" 2>/dev/null)" == "$wanted" ]]; then
    say "perf_analyzer is in .deps/."
    return
  fi
  say "fetching perf_analyzer (17 MB; run by tests, not installed)."
  for package in tritonclient==2.48.0 nvidia-cuda-runtime-cu12==12.9.79; do
    quietly "$venv/bin/python" -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
        --platform manylinux1_x86_64 --platform manylinux2014_x86_64 --dest "$work/wheels" "$package" ||
      fail "pip could not fetch $package; the lines above say why."
  done
  check_sha256 "$(find "$work/wheels" -name 'tritonclient-*.whl')" \
    7074885798e8a711fedaf94d6dd77f310973fe2ebf29fb2837db350a43e2d6a5
  check_sha256 "$(find "$work/wheels" -name 'nvidia_cuda_runtime_cu12-*.whl')" \
    25bba2dfb01d48a9b59ca474a1ac43c6ebf7011f1b0b8cc44f54eb6ac48a96c3
  mkdir -p "$work/perf_analyzer"
  quietly "$python" - "$work/wheels" "$work/perf_analyzer" <<'PYTHON' || fail "the wheels could not be read; the lines above say why."
import pathlib, sys, zipfile

wheels, out = map(pathlib.Path, sys.argv[1:])
for wheel in wheels.glob("*.whl"):
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.namelist():
            name = pathlib.PurePosixPath(member).name
            if name in ("perf_analyzer", "libcudart.so.12"):
                (out / name).write_bytes(archive.read(member))
(out / "perf_analyzer").chmod(0o755)
(out / "libcudart.so.12").stat()
PYTHON
  rm -rf "$work/wheels" "$there"
  echo "$wanted" >"$work/perf_analyzer/version"
  mv "$work/perf_analyzer" "$there" || fail ".deps/perf_analyzer could not be written."
}

# install_requirements FILE: the Python packages that it pins, into .venv
install_requirements() {
  local file="$1" wanted stamp
  stamp="$venv/$(dirname "$file" | tr / -)-requirements.sha256"
  wanted="$(sha256sum "$root/$file" | cut -d ' ' -f 1)"
  if [[ "$(cat "$stamp" 2>/dev/null)" == "$wanted" ]]; then
    say "the Python packages of $file are in .venv."
    return
  fi
  say "installing the Python packages of $file into .venv."
  quietly "$venv/bin/python" -m pip install --disable-pip-version-check --only-binary=:all: -r "$root/$file" ||
    fail "pip could not install $file; the lines above say why."
  echo "$wanted" >"$stamp"
}

packages=("${build_packages[@]}")
requirements=()
tests=
for option in "$@"; do
  case "$option" in
    --build) ;;
    --tests) packages+=("${test_packages[@]}"); requirements+=(tests/requirements.txt); tests=yes ;;
    --bench) packages+=("${bench_packages[@]}"); requirements+=(bench/requirements.txt) ;;
    --tidy) packages+=("${tidy_packages[@]}") ;;
    --fuzz) packages+=("${fuzz_packages[@]}") ;;
    -h | --help) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"; exit 0 ;;
    *) fail "'$option' is no option; there are --build, --tests, --bench, --tidy and --fuzz." ;;
  esac
done

check_system
mkdir -p "$deps" || fail "$deps could not be made."
work="$(mktemp -d "$deps/setup.XXXXXX")" || fail "a working folder in $deps could not be made."
install_packages "${packages[@]}"
make_venv
bring_onnxruntime
bring_openvino
bring_wire_definitions
if [[ -n "$tests" ]]; then bring_perf_analyzer; fi
for file in "${requirements[@]}"; do install_requirements "$file"; done
say "done after $SECONDS s."
