"""Prints each alert that comes, and keeps its picture: receiver.py PORT FOLDER"""

import email
import http.server
import json
import pathlib
import sys

folder = pathlib.Path(sys.argv[2])
folder.mkdir(parents=True, exist_ok=True)


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        head = b"Content-Type: " + self.headers["Content-Type"].encode() + b"\r\n\r\n"
        message = email.message_from_bytes(head + self.rfile.read(int(self.headers["Content-Length"])))
        parts = message.get_payload() if message.is_multipart() else [message]
        for part in parts:
            if part.get_content_type() == "image/jpeg":
                (folder / (self.headers["X-Bascule-Event"] + ".jpg")).write_bytes(part.get_payload(decode=True))
            else:
                event = json.loads(part.get_payload(decode=True))
                found = ", ".join(f"{one['name']} {one['confidence']:.2f}" for one in event["results"][:5])
                print(f"{event['severity'].upper()} {event['app']}: {event['rule']} on frame {event['frame']} ({found})", flush=True)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


server = http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver)
print(f"Receiver on http://127.0.0.1:{server.server_port}/alert", flush=True)
server.serve_forever()
