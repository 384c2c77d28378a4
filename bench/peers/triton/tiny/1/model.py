"""What a user of Triton's Python backend writes to have an ONNX model: waiting requests share a run."""

import os

import numpy
import onnxruntime
import triton_python_backend_utils as triton


class TritonPythonModel:
    def initialize(self, args):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.session = onnxruntime.InferenceSession(os.environ["BENCH_MODEL"], options)

    def execute(self, requests):
        rows = [triton.get_input_tensor_by_name(request, "x").as_numpy() for request in requests]
        answers = self.session.run(None, {"x": numpy.concatenate(rows)})[0]
        ends = numpy.cumsum([len(row) for row in rows])
        return [triton.InferenceResponse([triton.Tensor("y", answers[end - len(row) : end])])
                for row, end in zip(rows, ends)]
