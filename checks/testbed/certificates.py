"""A certificate authority for one testbed, and its receiver's certificate."""

from __future__ import annotations

import ssl
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_PEM = serialization.Encoding.PEM
_VALID = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Authority:
    """Vouches for one server; ``certificate`` is its own, in PEM, and ``tls`` the server's side."""

    certificate: bytes
    tls: ssl.SSLContext

    @classmethod
    def of(cls, names: tuple[str, ...], addresses: tuple[str, ...]) -> Self:
        """A new one, for a server of these names (``*.`` stands for any label) and addresses."""
        root, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        holds: list[x509.GeneralName] = [x509.DNSName(name) for name in names]
        holds += [x509.IPAddress(ip_address(one)) for one in addresses]
        certificate = (
            _certificate("receiver", key, root)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName(holds), critical=False)
            .sign(root, hashes.SHA256())
        )
        own = (
            _certificate("authority", root, root)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_signs_certificates(), critical=True)
            .sign(root, hashes.SHA256())
        )
        return cls(own.public_bytes(_PEM), _server_side(certificate, key))


def _certificate(
    subject: str, owner: ec.EllipticCurvePrivateKey, root: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    """One that the root is to sign, valid from yesterday on."""
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_named(subject))
        .issuer_name(_named("authority"))
        .public_key(owner.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + _VALID)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(owner.public_key()), False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root.public_key()), False)
    )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"assay {name}")])


def _signs_certificates() -> x509.KeyUsage:
    others = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(key_cert_sign=True, crl_sign=True, **dict.fromkeys(others, False))


def _server_side(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    private = key.private_bytes(
        _PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with tempfile.NamedTemporaryFile() as chain:
        chain.write(private + certificate.public_bytes(_PEM))
        chain.flush()
        context.load_cert_chain(chain.name)
    return context
