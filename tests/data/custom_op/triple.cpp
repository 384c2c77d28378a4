// A custom-op library: the operator shop.Triple, y = 3 x. tests/system/test_custom_ops.py builds it with
//   c++ -std=c++17 -shared -fPIC -I INCLUDE triple.cpp -o libtriple.so
#define ORT_API_MANUAL_INIT
#include <onnxruntime_cxx_api.h>

namespace {

struct Kernel {
  void Compute(OrtKernelContext* raw) {
    Ort::KernelContext context(raw);
    const auto input = context.GetInput(0);
    const auto shape = input.GetTensorTypeAndShapeInfo();
    const float* from = input.GetTensorData<float>();
    float* to = context.GetOutput(0, shape.GetShape()).GetTensorMutableData<float>();
    for (size_t i = 0; i < shape.GetElementCount(); ++i) to[i] = 3 * from[i];
  }
};

struct Triple : Ort::CustomOpBase<Triple, Kernel> {
  void* CreateKernel(const OrtApi&, const OrtKernelInfo*) const { return new Kernel; }
  const char* GetName() const { return "Triple"; }
  size_t GetInputTypeCount() const { return 1; }
  ONNXTensorElementDataType GetInputType(size_t) const { return ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT; }
  size_t GetOutputTypeCount() const { return 1; }
  ONNXTensorElementDataType GetOutputType(size_t) const { return ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT; }
};

}  // namespace

extern "C" OrtStatus* RegisterCustomOps(OrtSessionOptions* options, const OrtApiBase* base) {
  Ort::InitApi(base->GetApi(ORT_API_VERSION));
  static const Triple triple;
  static Ort::CustomOpDomain domain("shop");
  static const bool added = (domain.Add(&triple), true);
  (void)added;
  Ort::UnownedSessionOptions(options).Add(domain);
  return nullptr;
}
