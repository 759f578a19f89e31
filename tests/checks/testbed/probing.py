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


@dataclass(frozen=True, slots=True)
class Prober:
    """A testbed around the service that does whatever it is told."""

    testbed: Testbed

    async def run(self, code: str, replica: int = 0, seconds: float = 30) -> dict[str, Any]:
        """What came of running Python inside: ``{"result": ...}`` or ``{"error": name, ...}``."""
        url = self.testbed.replicas[replica].url
        async with httpx.AsyncClient(timeout=seconds) as client:
            return dict((await client.post(url, content=code)).json())
