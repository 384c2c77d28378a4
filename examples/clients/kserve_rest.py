"""KServe's client over REST. pip install kserve; python kserve_rest.py [ADDRESS]"""
import asyncio
import sys

from kserve import InferenceRESTClient, InferInput, InferRequest
from kserve.inference_client import RESTConfig

address = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000"


async def main() -> None:
    client = InferenceRESTClient(RESTConfig(protocol="v2"))
    x = InferInput("x", [1, 16], "FP32", list(range(16)))
    assert await client.is_server_live(address) and await client.is_server_ready(address)
    assert await client.is_model_ready(address, "add_one")
    answer = await client.infer(address, InferRequest("add_one", [x]), model_name="add_one")
    print(answer.outputs[0].data)


asyncio.run(main())
