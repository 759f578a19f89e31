"""What tests of the testbed share: the hostile submission, and a service that is merely ready."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx

from checks.testbed.testbed import Testbed

#: A service that is ready, for tests to add to.
READY = """
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *_):
        pass

def serve():
    HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


#: A resolver: one question for the address of a name, over TCP, as RFC 1035 and 7766 have it.
RESOLVE = """
import os, socket, struct
def resolve(name):
    host, port = os.environ["DNS_SERVER"].split(":")
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + bytes(1)
    query = struct.pack(">HHHHHH", 7, 256, 1, 0, 0, 0) + labels + struct.pack(">HH", 1, 1)
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(struct.pack(">H", len(query)) + query)
        stream = connection.makefile("rb")
        answer = stream.read(struct.unpack(">H", stream.read(2))[0])
    count = struct.unpack(">H", answer[6:8])[0]
    return socket.inet_ntoa(answer[-4:]) if count else None
"""


@dataclass(frozen=True, slots=True)
class Prober:
    """A testbed around the service that does whatever it is told."""

    testbed: Testbed

    async def run(self, code: str, replica: int = 0, seconds: float = 30) -> dict[str, Any]:
        """What came of running Python inside: ``{"result": ...}`` or ``{"error": name, ...}``."""
        url = self.testbed.replicas[replica].url
        async with httpx.AsyncClient(timeout=seconds) as client:
            return dict((await client.post(url, content=code)).json())
