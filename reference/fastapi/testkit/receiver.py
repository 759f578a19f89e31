"""A merchant's server: takes webhooks over TLS, and verifies them as Standard Webhooks says."""

import base64
import hashlib
import hmac
import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NAME = "shop.example"


@dataclass(frozen=True)
class Call:
    """One call that came."""

    host: str
    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        """What it tells."""
        told: dict[str, Any] = json.loads(self.body)
        return told

    def signed_with(self, secret: str) -> bool:
        """Whether one of its signatures is made with a secret, and lately."""
        key = base64.b64decode(secret.removeprefix("whsec_"))
        at = self.headers["webhook-timestamp"]
        signed = f"{self.headers['webhook-id']}.{at}.".encode() + self.body
        mac = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
        given = self.headers["webhook-signature"].split(" ")
        return f"v1,{mac}" in given and abs(time.time() - int(at)) < 60


@dataclass
class Receiver:
    """What came; ``answers`` are given in turn, then 204."""

    port: int = 0
    ca_file: Path = Path()
    answers: list[int] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)

    def url(self, scheme: str = "https", host: str = NAME) -> str:
        """Its address by a name."""
        return f"{scheme}://{host}:{self.port}/hooks?shop=1"

    def of(self, path: str) -> list[Call]:
        """Calls about an object."""
        return [call for call in self.calls if call.event["object"] == path]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    receiver: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.receiver.calls.append(Call(headers["host"], headers, body))
        status = self.receiver.answers.pop(0) if self.receiver.answers else 204
        self.send_response(status)
        for name, value in self.receiver.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def serve(folder: Path, *, tls: bool = True) -> Iterator[Receiver]:
    """Start one, with a certificate for its name by an authority of its own."""
    receiver = Receiver()
    handler = type("Handler", (_Handler,), {"receiver": receiver})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    if tls:
        receiver.ca_file = folder / "ca.pem"
        certificate = _certify(folder, receiver.ca_file)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    receiver.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _certify(folder: Path, ca_file: Path) -> Path:
    """A certificate with its key, signed by an authority whose own goes into a file."""
    now = datetime.now(UTC)
    authority, key = (
        ec.generate_private_key(ec.SECP256R1()),
        ec.generate_private_key(ec.SECP256R1()),
    )

    def build(name: str, owner: ec.EllipticCurvePrivateKey, *, ca: bool) -> x509.Certificate:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority")])
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(owner.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(owner.public_key()), critical=False
            )
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()),
                critical=False,
            )
        )
        if not ca:
            names = x509.SubjectAlternativeName([x509.DNSName(name)])
            builder = builder.add_extension(names, critical=False)
        return builder.sign(authority, hashes.SHA256())

    pem = serialization.Encoding.PEM
    ca_file.write_bytes(build("authority", authority, ca=True).public_bytes(pem))
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    chain = folder / "server.pem"
    chain.write_bytes(private + build(NAME, key, ca=False).public_bytes(pem))
    return chain
