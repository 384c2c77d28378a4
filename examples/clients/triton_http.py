"""tritonclient over HTTP. pip install tritonclient[http]; python triton_http.py [ADDRESS]"""
import sys

import numpy as np
import tritonclient.http as triton

address = (sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000").removeprefix("http://")
with triton.InferenceServerClient(address) as client:
    x = triton.InferInput("x", [1, 16], "FP32")
    x.set_data_from_numpy(np.arange(16, dtype=np.float32).reshape(1, 16))
    print(client.infer("add_one", [x]).as_numpy("y"))
