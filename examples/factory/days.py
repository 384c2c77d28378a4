"""Counts the defects of each day in a file of events: days.py events.jsonl"""

import collections
import json
import sys
import time

days: collections.Counter = collections.Counter()
frames = set()
for line in open(sys.argv[1]):
    event = json.loads(line)
    if event["frame"] in frames:  # another rule's event of the same frame
        continue
    frames.add(event["frame"])
    for one in event["results"]:
        days[time.strftime("%Y-%m-%d", time.localtime(event["time"])), one["name"]] += 1
for (day, name), count in sorted(days.items()):
    print(f"{day}  {name:<16} {count}")
