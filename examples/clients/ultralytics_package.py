"""The ultralytics package with its model behind http or grpc; letterbox and boxes stay in the client.

pip install ultralytics tritonclient[all]; python ultralytics_package.py http://127.0.0.1:8000 or grpc://127.0.0.1:8001
"""
import pathlib
import sys

from ultralytics import YOLO

address = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000"
picture = pathlib.Path(__file__).parents[1] / "checkout" / "pictures" / "fruit_101_0008.jpg"
(result,) = YOLO(f"{address}/fruit", task="detect")(picture, verbose=False)
print(sorted({result.names[int(c)] for c in result.boxes.cls}))
