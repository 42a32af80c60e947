"""Certificates for servers of tests that speak TLS."""

from __future__ import annotations

import subprocess
from pathlib import Path


def certify(directory: Path, name: str) -> tuple[Path, Path]:
    """A key and a certificate for it, signed by itself; `name`: DNS:localhost, say."""
    key, certificate = directory / "key.pem", directory / "certificate.pem"
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
            "-nodes", "-days", "1", "-subj", "/CN=localhost", "-addext",
            f"subjectAltName={name}", "-keyout", str(key), "-out", str(certificate),
        ],
        check=True, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    return key, certificate
