"""An Ollama server's models: is one there, and how does it get there."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from voip_engine.speech.models import ModelStatus, OnProgress, PullError, PullProgress

if TYPE_CHECKING:
    from ollama import AsyncClient

_LOOK_S: Final = 4.0
_STALL_S: Final = 120.0
INSTALL_OLLAMA: Final = "curl -fsSL https://ollama.com/install.sh | sh"


async def ollama_status(host: str, model: str) -> ModelStatus:
    """How it stands with a model on a server."""
    full, title = f"ollama:{model}", f"Ollama model {model}"
    try:
        async with _client(host, _LOOK_S, hint=False) as client:
            models = (await client.list()).models
    except PullError as error:
        return ModelStatus(full, title, False, str(error), start_command(host))
    for entry in models:
        if entry.model in (model, f"{model}:latest"):
            return ModelStatus(full, title, True, f"on {host}", size_bytes=entry.size)
    return ModelStatus(full, title, False, f"{host} does not have it.", f"voip-tui models pull {full}")


def start_command(host: str) -> str:
    """What starts the server: on this machine, or a hint where to."""
    if urlsplit(host).hostname not in ("127.0.0.1", "localhost", "::1"):
        return f"ollama serve   (on {urlsplit(host).hostname}, with OLLAMA_HOST=0.0.0.0)"
    return "ollama serve" if shutil.which("ollama") else INSTALL_OLLAMA


async def pull_ollama(host: str, model: str, on_progress: OnProgress) -> None:
    """Let the server fetch a model; it goes on by itself where an earlier attempt broke off. Raises PullError."""
    layers: dict[str, tuple[int, int]] = {}
    async with _client(host, _STALL_S) as client:
        async for step in await client.pull(model, stream=True):
            if step.digest and step.total:
                layers[step.digest] = (step.completed or 0, step.total)
            done, total = (sum(part) for part in zip(*layers.values(), strict=True)) if layers else (0, None)
            on_progress(
                PullProgress(f"ollama:{model}", done, total, "done" if step.status == "success" else "fetching")
            )


async def create_from(source: Path, host: str, model: str, on_progress: OnProgress) -> None:
    """Make a model on the server out of a .gguf file of this machine. Raises PullError."""
    size = _gguf_size(source)
    async with _client(host, _STALL_S) as client:
        on_progress(PullProgress(f"ollama:{model}", 0, size, "copying"))
        digest = await client.create_blob(source)
        async for _ in await client.create(model, files={source.name: digest}, stream=True):
            on_progress(PullProgress(f"ollama:{model}", size, size, "making"))
    on_progress(PullProgress(f"ollama:{model}", size, size, "done"))


def _gguf_size(source: Path) -> int:
    if source.suffix != ".gguf" or not source.is_file():
        raise PullError(f"{source} is no .gguf file, which is what an Ollama model is made from.")
    return source.stat().st_size


@asynccontextmanager
async def _client(host: str, timeout_s: float, *, hint: bool = True) -> AsyncIterator[AsyncClient]:
    """A client whose errors are PullErrors in plain words, with a hint how a server that is not there is started."""
    import httpx
    from ollama import AsyncClient, ResponseError

    client: Any = AsyncClient(host=host, timeout=httpx.Timeout(timeout_s, connect=min(timeout_s, _LOOK_S)))
    try:
        yield client
    except (ConnectionError, httpx.ConnectError, httpx.ConnectTimeout):
        mend = f" Start it: {start_command(host)}" if hint else ""
        raise PullError(f"No Ollama server answers at {host}.{mend}") from None
    except httpx.TimeoutException:
        raise PullError(f"The Ollama server at {host} does not answer. The same command tries it again.") from None
    except httpx.TransportError:
        raise PullError(f"The connection to {host} broke. The same command goes on where it stopped.") from None
    except ResponseError as error:
        raise PullError(f"The Ollama server at {host} refuses: {error.error[:200]}.") from None
    finally:
        await client.close()
