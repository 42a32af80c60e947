"""The built web client: its files, read once, with strict headers and a fallback for its pages."""

from __future__ import annotations

import gzip
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from webchat.transport.rest.problems import method_not_allowed, not_found

PAGE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
    "trusted-types 'none'"
)
"""The Content-Security-Policy of the page: the client builds its DOM from nodes, so no HTML string
needs a Trusted Types policy of its own."""

_PAGES: Final = frozenset({"/", "/login", "/register", "/settings"})
_INDEX: Final = "/index.html"
_COMPRESSED_FROM_BYTES: Final = 1024
_WEIGHT_ABOVE_0: Final = re.compile(r"|q=1(\.0*)?|q=0\.0*[1-9][0-9]*")
"""No digit can be matched in two ways: else a long weight would take its length squared."""
_MEDIA_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}


@dataclass(frozen=True, slots=True)
class _File:
    body: bytes
    gzipped: bytes | None
    headers: dict[str, str]


class WebClient:
    """Serves the files of `directory` as they were when it was made; it may be missing."""

    def __init__(self, directory: Path) -> None:
        self._files: dict[str, _File] = {}
        for path in sorted(directory.rglob("*")):
            if path.suffix in _MEDIA_TYPES and path.is_file():
                name = f"/{path.relative_to(directory).as_posix()}"
                self._files[name] = _read(name, path)

    async def answer(self, request: Request) -> Response:
        """The file or page at the request's path, or 404: names are looked up, never opened."""
        path: str = request.scope["path"]
        name = _INDEX if path in _PAGES or path.startswith("/c/") else path
        if name == _INDEX and path == "/" and not self.is_built:
            return PlainTextResponse("webchat is running. Its web client is not built.\n")
        if name not in self._files:
            return self._nothing(request)
        if request.method not in {"GET", "HEAD"}:
            return method_not_allowed("GET, HEAD")
        return _response(request, self._files[name])

    def _nothing(self, request: Request) -> Response:
        """404; for whoever opens an address in a browser with the page, which says so in words."""
        page = self._files.get(_INDEX)
        is_opened = request.method in {"GET", "HEAD"} and "text/html" in request.headers.get(
            "accept", ""
        )
        if page is None or not is_opened:
            return not_found()
        return Response(page.body, 404, {**page.headers, "Vary": "Accept"})

    @property
    def is_built(self) -> bool:
        """Whether there is a page to serve."""
        return _INDEX in self._files


def _read(name: str, path: Path) -> _File:
    body = path.read_bytes()
    gzipped = gzip.compress(body, mtime=0) if len(body) >= _COMPRESSED_FROM_BYTES else body
    is_hashed = name.startswith("/assets/")
    headers = {
        "Cache-Control": "public, max-age=31536000, immutable" if is_hashed else "no-cache",
        "Content-Type": _MEDIA_TYPES[path.suffix],
        "ETag": f'"{hashlib.sha256(body).hexdigest()[:32]}"',
        "Vary": "Accept-Encoding",
    }
    if name.endswith(".html"):
        headers["Content-Security-Policy"] = PAGE_POLICY
    return _File(body, gzipped if len(gzipped) < len(body) else None, headers)


def _response(request: Request, file: _File) -> Response:
    if file.headers["ETag"] in request.headers.get("if-none-match", ""):
        return Response(None, 304, file.headers)
    if file.gzipped is not None and _takes_gzip(request.headers.get("accept-encoding", "")):
        return Response(file.gzipped, headers={**file.headers, "Content-Encoding": "gzip"})
    return Response(file.body, headers=file.headers)


def _takes_gzip(accept_encoding: str) -> bool:
    """RFC 9110, section 12.5.3, as far as anybody uses it: named, and not with a weight of 0."""
    offers = (offer.partition(";") for offer in accept_encoding.replace(" ", "").lower().split(","))
    weights = [weight for name, _, weight in offers if name == "gzip"]
    return bool(weights) and all(_WEIGHT_ABOVE_0.fullmatch(weight) for weight in weights)
