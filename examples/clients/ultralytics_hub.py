"""Code written for Ultralytics HUB; only the address is another. python ultralytics_hub.py ADDRESS PICTURE"""
import sys

import requests

url = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000"
data = {"model": "https://hub.ultralytics.com/models/fruit", "imgsz": 640, "conf": 0.5, "iou": 0.45}
with open(sys.argv[2], "rb") as file:
    reply = requests.post(url, headers={"x-api-key": "x"}, data=data, files={"file": file}, timeout=60)
reply.raise_for_status()
print([row["name"] for row in reply.json()["images"][0]["results"]])
