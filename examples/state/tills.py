"""Two sequences at once, each with a sum of its own: tills.py ADDRESS"""

import json
import sys
import urllib.request


def ask(address, till, price, first, last):
    body = {
        "inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 1], "data": [price]}],
        "parameters": {"sequence_id": till, "sequence_start": first, "sequence_end": last},
    }
    request = urllib.request.Request(
        f"{address}/v2/models/total/infer", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)["outputs"][0]["data"][0]


baskets = {"till 1": [1.5, 2.0, 0.5], "till 2": [10.0, 20.0, 30.0]}
for i in range(3):
    for till, prices in baskets.items():
        total = ask(sys.argv[1], till, prices[i], first=i == 0, last=i == 2)
        print(f"{till}: {total:.2f}")
