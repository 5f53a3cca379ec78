"""A model hub on loopback that answers as Hugging Face's does for `resolve` addresses.

HEAD tells commit, size and entity tag; GET of a large file redirects to where it is kept, and takes a Range. `cut_after`
breaks each connection that would send more bytes than that, so many times.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

COMMIT = "d90ca5fe260221311c53c58e660288d3deb8d356"
LARGE_BYTES = 1_000_000


class Hub:
    """`files` by `owner/repository/path`. `sent` holds path and first byte of every download that was begun."""

    def __init__(self, files: Mapping[str, Path | bytes]) -> None:
        self.files = dict(files)
        self.url = ""
        self.cut_after: int | None = None
        self.cuts = 0
        self.status: int | None = None
        self.sent: list[tuple[str, int]] = []

    def content(self, name: str) -> bytes:
        """What a file holds."""
        held = self.files[name]
        return held if isinstance(held, bytes) else held.read_bytes()


@contextmanager
def hub_server(files: Mapping[str, Path | bytes]) -> Iterator[Hub]:
    """Serve files while the block runs."""
    hub = Hub(files)
    handler = type("Handler", (_Handler,), {"hub": hub})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        hub.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield hub
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._resolve()

    def do_GET(self) -> None:
        if self.path.startswith("/kept/"):
            self._send_file(self.path.removeprefix("/kept/"))
        else:
            self._resolve()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def _resolve(self) -> None:
        match = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", self.path)
        name = f"{match[1]}/{match[3]}" if match else ""
        if self.hub.status is not None:
            self._refuse(self.hub.status, None)
        elif name not in self.hub.files:
            known = any(file.startswith(f"{match[1]}/") for file in self.hub.files) if match else False
            self._refuse(404 if known else 401, "EntryNotFound" if known else "RepoNotFound")
        elif len(content := self.hub.content(name)) < LARGE_BYTES:
            self._send(content, name, {"ETag": f'"{hashlib.sha1(content).hexdigest()}"', "X-Repo-Commit": COMMIT})
        else:
            self.send_response(302)
            self.send_header("Location", f"{self.hub.url}/kept/{name}")
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("X-Linked-Size", str(len(content)))
            self.send_header("X-Linked-Etag", f'"{hashlib.sha256(content).hexdigest()}"')
            self.send_header("Content-Length", "0")
            self.end_headers()

    def _refuse(self, status: int, code: str | None) -> None:
        self.send_response(status)
        if code:
            self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send_file(self, name: str) -> None:
        self._send(self.hub.content(name), name, {})

    def _send(self, content: bytes, name: str, headers: Mapping[str, str]) -> None:
        ranged = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(ranged[1]) if ranged else 0
        self.send_response(206 if ranged else 200)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        if self.command == "HEAD":
            return
        self.hub.sent.append((name, start))
        rest = memoryview(content)[start:]
        if self.hub.cut_after is not None and self.hub.cuts > 0 and len(rest) > self.hub.cut_after:
            self.hub.cuts -= 1
            rest = rest[: self.hub.cut_after]
            self.close_connection = True
        try:
            self.wfile.write(rest)
        except ConnectionError:
            self.close_connection = True  # the client was cancelled
