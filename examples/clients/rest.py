"""Open Inference Protocol v2 as plain JSON. pip install requests; python rest.py [ADDRESS]"""
import sys

import requests

address = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000"
tensor = {"name": "x", "datatype": "FP32", "shape": [1, 16], "data": list(range(16))}
reply = requests.post(f"{address}/v2/models/add_one/infer", json={"inputs": [tensor]}, timeout=60)
reply.raise_for_status()
print(reply.json()["outputs"][0]["data"])
