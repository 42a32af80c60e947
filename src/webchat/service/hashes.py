"""Secrets as the store knows them."""

from __future__ import annotations

import hashlib


def secret_hash(secret: str) -> bytes:
    """Of a token or a code: these are random, so a plain hash is enough; nobody can try them
    all."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
