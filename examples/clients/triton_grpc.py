"""tritonclient over gRPC. pip install tritonclient[grpc]; python triton_grpc.py [ADDRESS]"""
import sys

import numpy as np
import tritonclient.grpc as triton

address = (sys.argv[1] if len(sys.argv) > 1 else "grpc://127.0.0.1:8001").removeprefix("grpc://")
with triton.InferenceServerClient(address) as client:
    x = triton.InferInput("x", [1, 16], "FP32")
    x.set_data_from_numpy(np.arange(16, dtype=np.float32).reshape(1, 16))
    print(client.infer("add_one", [x]).as_numpy("y"))
