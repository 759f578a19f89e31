"""Does whatever it is told: the body of a POST is Python, and ``result`` is answered.

A hostile submission can do no more than this; tests tell it what to try.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.answer({})

    def do_POST(self) -> None:
        code = self.rfile.read(int(self.headers["Content-Length"])).decode()
        names: dict[str, object] = {}
        try:
            exec(code, names)
            self.answer({"result": names.get("result")})
        except BaseException as error:
            number = getattr(error, "errno", None)
            told = {"error": type(error).__name__, "errno": number, "text": str(error)}
            self.answer(told)

    def answer(self, value: object) -> None:
        body = json.dumps(value, default=repr).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
