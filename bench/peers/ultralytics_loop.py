"""The reference package in a warm Python process: `YOLO(MODEL).predict(PATH)`, again and again.

ultralytics_loop.py MODEL THREADS. Each line of standard input is a word and its argument, each is answered with one
line of JSON: `boxes PATH` what it finds, `run SECONDS PATH` the seconds of each call, `folder PATH` those of a whole folder and how
many pictures it was.
"""

import json
import sys
import time

from ultralytics_boxes import load


def main() -> None:
    predict, yolo = load(sys.argv[1], int(sys.argv[2]))
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        word, _, rest = line.strip().partition(" ")
        if word == "boxes":
            print(json.dumps(predict(rest)), flush=True)
            continue
        if word == "folder":
            start = time.perf_counter()
            answered = sum(1 for _ in yolo.predict(rest, imgsz=640, stream=True, verbose=False))
            print(json.dumps([time.perf_counter() - start, answered]), flush=True)
            continue
        seconds, _, path = rest.partition(" ")
        took, end = [], time.perf_counter() + float(seconds)
        while not took or time.perf_counter() < end:
            start = time.perf_counter()
            predict(path)
            took.append(time.perf_counter() - start)
        print(json.dumps(took), flush=True)


main()
