"""Files from a model hub over HTTP, resumed where they broke off.

huggingface_hub itself keeps nothing of a file that it could not finish (since its version 2), so half of a gigabyte would
be fetched twice; and it blocks. The protocol is the one of its `resolve` addresses: HEAD tells size, entity tag and commit,
GET takes a Range.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import re
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

import httpx

from voip_engine.speech.models import PullError

DEFAULT_HUB: Final = "https://huggingface.co"
_TIMEOUT: Final = httpx.Timeout(30.0, connect=10.0)
_CHUNK_BYTES: Final = 1 << 18
_FRUITLESS_ATTEMPTS: Final = 5
_FIRST_PAUSE_S: Final = 0.2
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file on the hub, pinned to a commit. `tag` names its content, by SHA-256 for large files; `size_bytes` is exact."""

    repository: str
    path: str
    url: str
    tag: str
    size_bytes: int


@asynccontextmanager
async def hub_client(model: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client for the hub ($HF_ENDPOINT, or Hugging Face's), with the user's token where there is one.

    A hub that cannot be reached is a PullError, which says how `model` gets here all the same.
    """
    from huggingface_hub import get_token

    token = get_token()
    headers = {"Accept-Encoding": "identity", "User-Agent": "voip-tui"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    hub = os.environ.get("HF_ENDPOINT") or DEFAULT_HUB
    async with httpx.AsyncClient(base_url=hub.rstrip("/"), headers=headers, timeout=_TIMEOUT) as client:
        try:
            yield client
        except httpx.TransportError as error:
            why = "it does not answer in time" if isinstance(error, httpx.TimeoutException) else "no connection"
            raise PullError(
                f"{client.base_url.host} cannot be reached ({why}). What has arrived is kept; the same command goes on "
                f"with it. From a folder that holds a copy: voip-tui models pull {model} --from PATH"
            ) from None


async def look_up(client: httpx.AsyncClient, repository: str, path: str, revision: str) -> RemoteFile | None:
    """What the hub has under a path; None if there is no such file in the repository. Raises PullError or TransportError."""
    url = f"/{repository}/resolve/{quote(revision, safe='')}/{quote(path)}"
    for _ in range(_FRUITLESS_ATTEMPTS):
        response = await client.head(url)
        target = response.headers.get("Location", "")
        if not (response.is_redirect and target.startswith("/")):
            break  # a repository that was renamed redirects within the hub; large files to where they are kept
        url = target
    if response.status_code == 404:
        if response.headers.get("X-Error-Code") in (None, "EntryNotFound"):
            return None
        raise PullError(f"The hub has no {repository}.")
    if response.status_code >= 400:
        raise _refused(client, repository, response.status_code)
    headers = response.headers
    commit = headers.get("X-Repo-Commit", revision)
    size = headers.get("X-Linked-Size") or headers.get("Content-Length")
    tag = (headers.get("X-Linked-Etag") or headers.get("ETag") or "").removeprefix("W/").strip('"')
    if size is None or not re.fullmatch(r"[\w\-]+", tag):
        raise PullError(f"{client.base_url} does not answer as a model hub does. See HF_ENDPOINT and proxies.")
    return RemoteFile(repository, path, f"/{repository}/resolve/{commit}/{quote(path)}", tag, int(size))


def fetched_bytes(file: RemoteFile, target: Path) -> int:
    """How much of a file is there already, whole or in part."""
    return max(_size(target), _size(_part(file, target)), 0)


async def fetch(client: httpx.AsyncClient, file: RemoteFile, target: Path, on_bytes: Callable[[int], None]) -> None:
    """Fetch a file to `target`, going on where an earlier attempt broke off.

    A file that is there is left alone. `on_bytes` is told how many bytes are there, often. A connection that breaks is
    taken up again as long as anything comes; then TransportError. What comes down is checked before it gets its name.
    """
    if _size(target) == file.size_bytes:
        return
    part = _part(file, target)
    fruitless = 0
    while (have := _size(part)) != file.size_bytes:
        try:
            await _fetch_rest(client, file, part, have, on_bytes)
        except httpx.TransportError:
            fruitless = 0 if _size(part) > have else fruitless + 1
            if fruitless == _FRUITLESS_ATTEMPTS:
                raise
            await asyncio.sleep(_FIRST_PAUSE_S * 2**fruitless)
    if _SHA256.fullmatch(file.tag) and await asyncio.to_thread(_sha256, part) != file.tag:
        raise _discarded(part, f"{file.path} of {file.repository} arrived damaged")
    part.replace(target)


async def _fetch_rest(
    client: httpx.AsyncClient, file: RemoteFile, part: Path, have: int, on_bytes: Callable[[int], None]
) -> None:
    ranged = {"Range": f"bytes={have}-"} if 0 < have < file.size_bytes else {}
    async with client.stream("GET", file.url, headers=ranged, follow_redirects=True) as response:
        if response.status_code >= 400:
            raise _refused(client, file.repository, response.status_code)
        with part.open("ab" if response.status_code == 206 else "wb") as out:
            async for chunk in response.aiter_raw(_CHUNK_BYTES):
                await asyncio.to_thread(out.write, chunk)
                on_bytes(out.tell())
    if _size(part) < file.size_bytes:
        raise httpx.RemoteProtocolError("The connection ended early.")
    if _size(part) > file.size_bytes:
        raise _discarded(part, f"{file.path} of {file.repository} changed while it was fetched")


def require_space(folder: Path, needed_bytes: int) -> None:
    """Raise PullError unless the disk has room for so much more."""
    free = shutil.disk_usage(folder).free
    if needed_bytes > free:
        raise PullError(
            f"The disk is too full: {needed_bytes / 1e6:.0f} MB are needed in {folder}, {free / 1e6:.0f} MB are free."
        )


def disk_trouble(error: OSError, folder: Path) -> PullError:
    """An error of the file system in plain words."""
    if error.errno == errno.ENOSPC:
        return PullError(f"The disk is full. Make room below {folder}; the same command then goes on where it stopped.")
    return PullError(f"{error.filename or folder} cannot be written: {error.strerror or error}.")


def _part(file: RemoteFile, target: Path) -> Path:
    return target.with_name(f"{target.name}.{file.tag[:16]}.part")


def _size(path: Path) -> int:
    """The size of a file in bytes, -1 if there is none."""
    return path.stat().st_size if path.is_file() else -1


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _discarded(part: Path, why: str) -> PullError:
    part.unlink()
    return PullError(f"{why}. The same command fetches it again.")


def _refused(client: httpx.AsyncClient, repository: str, status: int) -> PullError:
    if status in (401, 403):
        return PullError(
            f"{repository} does not exist, or asks for a login: accept its terms at {client.base_url.host}/{repository}, "
            "then run: hf auth login"
        )
    return PullError(f"{client.base_url.host} refuses {repository} with status {status}. Try again later.")
