"""The SDK of the Ultralytics Platform. pip install ultralytics-platform; python ultralytics_platform_sdk.py ADDRESS PICTURE"""
import sys

from ultralytics_platform import Platform

address = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000"
with Platform(base_url=address, api_key="x") as client, open(sys.argv[2], "rb") as picture:
    reply = client.models.predict("owner", "project", "fruit", body={"file": picture, "conf": 0.5})
print([row["name"] for row in reply["images"][0]["results"]])
