"""Counts what is on each frame of a video, as the frames are answered. python count.py VIDEO [ADDRESS [MODEL]]"""
import collections
import json
import pathlib
import sys
import urllib.request

video = pathlib.Path(sys.argv[1])
address = sys.argv[2] if len(sys.argv) > 2 else "http://127.0.0.1:8000"
model = sys.argv[3] if len(sys.argv) > 3 else "fruit"

call = urllib.request.Request(
    f"{address}/models/{model}/predict", data=video.read_bytes(),
    headers={"Content-Type": "video/mp4", "Accept": "application/x-ndjson"})
with urllib.request.urlopen(call, timeout=600) as lines:
    for number, line in enumerate(lines, 1):
        frame = json.loads(line)
        if "error" in frame:  # the frames before it were answered
            sys.exit(f"after {number - 1} frames: {frame['error']}")
        if "metadata" in frame:  # the last line
            print(f"{frame['metadata']['imageCount']} frames in {frame['metadata']['functionTimeCall']:.1f} s")
            break
        counts = collections.Counter(row["name"] for row in frame["results"])
        print(f"frame {number}: {', '.join(f'{count} {name}' for name, count in sorted(counts.items())) or 'nothing'}")
