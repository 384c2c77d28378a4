"""KServe's client over gRPC. pip install kserve; python kserve_grpc.py [ADDRESS]"""
import asyncio
import sys

import numpy as np
from kserve import InferenceGRPCClient, InferInput, InferRequest

address = (sys.argv[1] if len(sys.argv) > 1 else "grpc://127.0.0.1:8001").removeprefix("grpc://")


async def main() -> None:
    async with InferenceGRPCClient(address) as client:
        assert await client.is_server_live() and await client.is_server_ready()
        assert await client.is_model_ready("add_one")
        x = InferInput("x", [1, 16], "FP32")
        x.set_data_from_numpy(np.arange(16, dtype=np.float32).reshape(1, 16), binary_data=True)
        answer = await client.infer(InferRequest("add_one", [x]))
        print(answer.outputs[0].as_numpy().tolist())


asyncio.run(main())
