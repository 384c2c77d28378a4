// The engine without a server: loads a model and runs it in a loop on one calling thread, and prints what
// that took as JSON. What the server's figures are compared with; so it uses ONNX Runtime's own API, with the
// options that src/backend/onnxruntime sets.
//
//   bare_engine --model fruit.onnx --shape 1,3,640,640 --seconds 5 --threads 1

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include <onnxruntime_cxx_api.h>
#include <CLI/CLI.hpp>

namespace {

using Steady = std::chrono::steady_clock;

struct Flags {
  std::string model;
  std::vector<std::int64_t> shape;
  double seconds = 5;
  int threads = 1;
  int warmup = 3;
  bool arena = true;
};

// Megabytes this process holds in memory now ("VmRSS"), or held at most ("VmHWM").
double resident_mb(const std::string& field) {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    double kib = 0;
    if (word == field + ":" && status >> kib) return kib / 1024;
  }
  return 0;
}

double at_quantile(const std::vector<double>& sorted, double quantile) {
  return sorted[static_cast<std::size_t>(quantile * static_cast<double>(sorted.size() - 1))];
}

Ort::Session open(Ort::Env& env, const Flags& flags) {
  Ort::SessionOptions options;
  options.SetGraphOptimizationLevel(GraphOptimizationLevel::ORT_ENABLE_ALL);
  options.SetIntraOpNumThreads(flags.threads);
  options.SetInterOpNumThreads(1);
  options.AddConfigEntry("session.intra_op.allow_spinning", "0");
  if (!flags.arena) options.DisableCpuMemArena();
  return {env, flags.model.c_str(), options};
}

void measure(const Flags& flags) {
  Ort::Env env(ORT_LOGGING_LEVEL_ERROR, "bare_engine");
  const auto start_load = Steady::now();
  Ort::Session session = open(env, flags);
  const double load_ms = std::chrono::duration<double, std::milli>(Steady::now() - start_load).count();
  const double loaded_mb = resident_mb("VmRSS");

  Ort::AllocatorWithDefaultOptions allocator;
  const auto input_name = session.GetInputNameAllocated(0, allocator);
  const auto output_name = session.GetOutputNameAllocated(0, allocator);
  const char* input_names[] = {input_name.get()};
  const char* output_names[] = {output_name.get()};
  std::size_t count = 1;
  for (const std::int64_t dimension : flags.shape) count *= static_cast<std::size_t>(dimension);
  std::vector<float> data(count, 0.5F);
  const auto memory = Ort::MemoryInfo::CreateCpu(OrtDeviceAllocator, OrtMemTypeCPU);
  const auto run_once = [&] {
    const Ort::Value input =
        Ort::Value::CreateTensor<float>(memory, data.data(), count, flags.shape.data(), flags.shape.size());
    return session.Run(Ort::RunOptions{nullptr}, input_names, &input, 1, output_names, 1);
  };
  for (int i = 0; i < flags.warmup; ++i) run_once();

  std::vector<double> micros;
  const auto start = Steady::now();
  double elapsed = 0;
  while (elapsed < flags.seconds || micros.empty()) {
    const auto before = Steady::now();
    run_once();
    const auto after = Steady::now();
    micros.push_back(std::chrono::duration<double, std::micro>(after - before).count());
    elapsed = std::chrono::duration<double>(after - start).count();
  }
  std::ranges::sort(micros);
  std::printf(
      "{\"runs\":%zu,\"seconds\":%.3f,\"min_us\":%.1f,\"p50_us\":%.1f,\"p99_us\":%.1f,\"per_second\":%.2f,"
      "\"load_ms\":%.1f,\"loaded_mb\":%.1f,\"resident_mb\":%.1f,\"peak_mb\":%.1f}\n",
      micros.size(), elapsed, micros.front(), at_quantile(micros, 0.5), at_quantile(micros, 0.99),
      static_cast<double>(micros.size()) / elapsed, load_ms, loaded_mb, resident_mb("VmRSS"),
      resident_mb("VmHWM"));
}

}  // namespace

int main(int argc, char** argv) {
  Flags flags;
  CLI::App app("Runs a model's first input in a loop, without a server");
  app.add_option("--model", flags.model, "ONNX file with one float input")->required();
  app.add_option("--shape", flags.shape, "Its shape, such as 1,3,640,640")->delimiter(',')->required();
  app.add_option("--seconds", flags.seconds, "How long to run")->check(CLI::PositiveNumber);
  app.add_option("--threads", flags.threads, "Threads that compute one run")->check(CLI::PositiveNumber);
  app.add_option("--warmup", flags.warmup, "Runs before the clock starts")->check(CLI::NonNegativeNumber);
  app.add_flag("!--no-arena", flags.arena, "Without the engine's own memory pool");
  CLI11_PARSE(app, argc, argv);
  try {
    measure(flags);
  } catch (const std::exception& e) {
    std::cerr << "bare_engine: " << e.what() << "\n";
    return 1;
  }
  return 0;
}
