#include "http/loopback.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/check.h"
#include "base/mutex.h"
#include "base/text.h"

namespace bascule::http {
namespace {

using Run = std::function<Result<std::vector<tensor::NamedTensor>>(std::span<const tensor::NamedTensor>)>;

class FunctionModel final : public backend::Executable {
 public:
  FunctionModel(backend::ModelSpec spec, Run run) : spec_(std::move(spec)), run_(std::move(run)) {}
  [[nodiscard]] const backend::ModelSpec& spec() const override { return spec_; }
  Result<std::vector<tensor::NamedTensor>> run(std::span<const tensor::NamedTensor> inputs,
                                               std::span<const std::string> /*outputs*/) const override {
    return run_(inputs);
  }

 private:
  const backend::ModelSpec spec_;
  const Run run_;
};

Result<std::vector<tensor::NamedTensor>> add_one(std::span<const tensor::NamedTensor> inputs) {
  const tensor::Tensor& in = inputs[0].tensor;
  BASCULE_ASSIGN(tensor::MutableTensor out, tensor::make_tensor(in.type, in.shape));
  std::ranges::transform(in.elements<float>(), out.elements<float>().begin(), [](float x) { return x + 1; });
  return std::vector<tensor::NamedTensor>{{.name = "y", .tensor = std::move(out.tensor)}};
}

catalog::Handle model(const std::string& name, Duration measured_run, Run run) {
  const std::vector<tensor::TensorSpec> inputs = {{.name = "x", .shape = {tensor::kDynamic}}};
  const std::vector<tensor::TensorSpec> outputs = {{.name = "y", .shape = {tensor::kDynamic}}};
  content::ModelInfo info{.name = name,
                          .version = "1",
                          .backend = "function",
                          .format = "none",
                          .inputs = inputs,
                          .outputs = outputs};
  backend::ModelSpec spec{.format = "none", .inputs = inputs, .outputs = outputs};
  return std::make_shared<const catalog::LoadedModel>(catalog::LoadedModel{
      .info = std::make_shared<const content::ModelInfo>(std::move(info)),
      .executable = std::make_shared<const FunctionModel>(std::move(spec), std::move(run)),
      .measured_run = measured_run,
      .measured_bytes = 1ULL << 20U,
      .settings = {.queue_budget = {}}});
}

}  // namespace

// Holds the runs of `slow` back.
struct Loopback::Gate {
  Mutex mutex;
  ConditionVariable changed;
  bool open BASCULE_GUARDED_BY(mutex) = false;
  int waiting BASCULE_GUARDED_BY(mutex) = 0;

  void pass() {
    MutexLock lock(mutex);
    ++waiting;
    changed.notify_all();
    changed.wait(mutex, [this]() BASCULE_REQUIRES(mutex) { return open; });
  }
};

Loopback::Loopback(ServerOptions options) : gate_(std::make_shared<Gate>()) {
  catalog_.set_ready(model("add_one", Duration{}, [this](auto inputs) {
    last_input_ = reinterpret_cast<std::uintptr_t>(inputs[0].tensor.bytes.data());
    return add_one(inputs);
  }));
  catalog_.set_ready(model("slow", std::chrono::seconds(1), [gate = gate_](auto inputs) {
    gate->pass();
    return add_one(inputs);
  }));
  auto narrow = std::make_shared<catalog::LoadedModel>(
      *model("narrow", std::chrono::seconds(1), [gate = gate_](auto inputs) {
        gate->pass();
        return add_one(inputs);
      }));
  narrow->settings.max_queue_size = 1;
  catalog_.set_ready(std::move(narrow));
  catalog_.set_loading("loading", "1");
  options.port = 0;
  options.server_version = "1.2.3";
  auto server = Server::listen(options, services());
  BASCULE_CHECK(server.has_value());
  server_ = *std::move(server);
  server_->start();
}

Loopback::~Loopback() {
  let_slow_run();
  server_->stop(std::chrono::seconds(5));
  server_.reset();
  timer_.stop();
  pool_.reset();  // answers still owed are given while the rest is there
}

void Loopback::let_slow_run() {
  MutexLock lock(gate_->mutex);
  gate_->open = true;
  gate_->changed.notify_all();
}

void Loopback::wait_for_slow(int runs) {
  MutexLock lock(gate_->mutex);
  gate_->changed.wait(gate_->mutex, [&]() BASCULE_REQUIRES(gate_->mutex) { return gate_->waiting >= runs; });
}

Client::Client(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  const timeval patience{.tv_sec = 10, .tv_usec = 0};
  setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  BASCULE_CHECK(::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
}

Client::~Client() {
  if (socket_ >= 0) ::close(socket_);
}

Client::Client(Client&& other) noexcept
    : socket_(std::exchange(other.socket_, -1)), buffer_(std::move(other.buffer_)) {}

bool Client::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

bool Client::fill() {
  char block[65536];
  const ssize_t got = ::recv(socket_, block, sizeof block, 0);
  if (got <= 0) return false;
  buffer_.append(block, static_cast<std::size_t>(got));
  return true;
}

std::optional<WireReply> Client::read(bool head_only) {
  std::size_t end = 0;
  while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
    if (!fill()) return std::nullopt;
  }
  WireReply reply{.raw_head = buffer_.substr(0, end + 2)};
  buffer_.erase(0, end + 4);
  if (!reply.raw_head.starts_with("HTTP/1.1 ") || reply.raw_head.size() < 12) return std::nullopt;
  const std::string_view head = reply.raw_head;
  reply.status = static_cast<int>(text::parse_int(head.substr(9, 3)).value_or(0));
  for (std::size_t at = head.find("\r\n") + 2; at < head.size();) {
    const std::size_t stop = head.find("\r\n", at);
    const std::string_view line = head.substr(at, stop - at);
    const std::size_t colon = line.find(": ");
    if (colon == std::string_view::npos) return std::nullopt;
    reply.fields[text::to_lower(line.substr(0, colon))] = line.substr(colon + 2);
    at = stop + 2;
  }
  if (reply.status == 100 || reply.status == 204 || head_only) return reply;
  const auto length = text::parse_int(reply.fields["content-length"]);
  if (!length) return std::nullopt;
  while (buffer_.size() < static_cast<std::size_t>(*length)) {
    if (!fill()) return std::nullopt;
  }
  reply.body = buffer_.substr(0, static_cast<std::size_t>(*length));
  buffer_.erase(0, reply.body.size());
  return reply;
}

std::optional<std::string> Client::read_until(std::string_view text) {
  std::size_t at = 0;
  while ((at = buffer_.find(text)) == std::string::npos) {
    if (!fill()) return std::nullopt;
  }
  std::string taken = buffer_.substr(0, at + text.size());
  buffer_.erase(0, taken.size());
  return taken;
}

bool Client::ends() {
  char byte = 0;
  return buffer_.empty() && ::recv(socket_, &byte, 1, 0) == 0;
}

void Client::finish_sending() const { ::shutdown(socket_, SHUT_WR); }

void Client::reset() {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  setsockopt(socket_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  ::close(std::exchange(socket_, -1));
}

std::string post(std::string_view path, std::string_view body, std::string_view fields) {
  return fmt::format("POST {} HTTP/1.1\r\nHost: test\r\nContent-Length: {}\r\n{}\r\n{}", path, body.size(),
                     fields, body);
}

std::string get(std::string_view path, std::string_view fields) {
  return fmt::format("GET {} HTTP/1.1\r\nHost: test\r\n{}\r\n", path, fields);
}

std::string infer_json(const std::vector<float>& values) {
  return fmt::format(R"({{"inputs":[{{"name":"x","shape":[{}],"datatype":"FP32","data":[{}]}}]}})",
                     values.size(), fmt::join(values, ","));
}

}  // namespace bascule::http
