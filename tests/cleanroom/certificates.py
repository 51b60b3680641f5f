"""Certificates for 127.0.0.1 that nobody but a test trusts."""

import datetime
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from mesh_defs.cleanroom.channel import Trust


def write_certificates(folder: Path) -> None:
    """An authority, and a certificate for 127.0.0.1; another authority, and one of its."""
    for name in ("ca", "other"):
        key = ec.generate_private_key(ec.SECP256R1())
        issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        authority = _certificate(issuer, issuer, key, key, ca=True)
        own = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "party")])
        leaf = _certificate(subject, issuer, own, key, ca=False)
        pem = serialization.Encoding.PEM
        (folder / f"{name}.pem").write_bytes(authority.public_bytes(pem))
        (folder / f"{name}-leaf.pem").write_bytes(leaf.public_bytes(pem))
        form = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        (folder / f"{name}-leaf.key").write_bytes(own.private_bytes(pem, *form))


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    signer: ec.EllipticCurvePrivateKey,
    *,
    ca: bool,
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .sign(signer, hashes.SHA256())
    )


def trust_of(folder: Path, name: str = "ca", *, shown: str | None = "ca") -> Trust:
    certificate = str(folder / f"{shown}-leaf.pem") if shown else None
    key = str(folder / f"{shown}-leaf.key") if shown else None
    return Trust(ca=str(folder / f"{name}.pem"), certificate=certificate, key=key)
