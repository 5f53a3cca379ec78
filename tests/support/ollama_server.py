"""A small HTTP server that speaks Ollama's API, for tests and benchmarks.

Shapes and error texts are those of `docs/api.md` and `server/routes.go` of github.com/ollama/ollama. What it replies is a
function of the messages; an asynchronous generator decides itself, by awaiting events, when each token goes out::

    async with OllamaServer(reply=lambda messages: "Good morning.") as server:
        settings = AgentSettings(host=server.url, model=server.model)
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self


class Cut(Exception):
    """Raised by a reply or a pull step: the connection breaks off here."""


class Failed(Exception):
    """Raised by a reply or a pull step: an error line in mid-stream, or HTTP 500 where nothing was sent yet."""


@dataclass(frozen=True)
class Thought:
    """A piece of the model's thinking, sent in the `thinking` field."""

    text: str


Piece = str | Thought
Script = str | Iterable[Piece] | AsyncIterator[Piece]
Reply = Callable[[list[dict[str, str]]], Script]


@dataclass
class Chat:
    """One chat request as it came in. `finished`: all was sent; `stopped`: the client closed the stream before."""

    model: str
    messages: list[dict[str, str]]
    body: dict[str, Any]
    sent: list[Piece] = field(default_factory=list)
    finished: asyncio.Event = field(default_factory=asyncio.Event)
    stopped: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def keep_alive(self) -> object:
        return self.body.get("keep_alive")

    @property
    def think(self) -> object:
        return self.body.get("think")


async def _at_once(_: object) -> None:
    """Don't wait."""


class OllamaServer:
    """An Ollama server on a free port of 127.0.0.1, in this event loop.

    `models`: what is installed, by name, with its capabilities; None for a server too old to tell them. `library`: what
    can be pulled, by name, with its size in bytes. `before_load(model)` and `before_pull(completed bytes)` are awaited
    before a model is loaded and before each step of a pull; they may wait for events and raise Cut or Failed.
    """

    model = "llama3.2:3b"

    def __init__(
        self,
        reply: Reply = lambda messages: "Yes, of course.",
        *,
        models: dict[str, tuple[str, ...] | None] | None = None,
        library: dict[str, int] | None = None,
        before_load: Callable[[str], Awaitable[None]] = _at_once,
        before_pull: Callable[[int], Awaitable[None]] = _at_once,
    ) -> None:
        self.reply = reply
        self.models = {self.model: ("completion", "tools")} if models is None else dict(models)
        self.library = dict(library or {})
        self.before_load = before_load
        self.before_pull = before_pull
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.chats: list[Chat] = []
        self.loads: list[Chat] = []
        self.loaded: dict[str, object] = {}
        self.pulled: dict[str, int] = {}
        self.url = ""
        self._arrived = asyncio.Condition()
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    async def start(self, port: int = 0) -> None:
        """Listen; a port given serves to come back where a server was before."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", port)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def close(self) -> None:
        """Stop listening and break off every connection."""
        assert self._server is not None
        self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await self._server.wait_closed()

    async def chat(self, number: int = 0) -> Chat:
        """Wait for the chat request of that number, counted from 0, preloads apart."""
        async with self._arrived:
            await self._arrived.wait_for(lambda: len(self.chats) > number)
        return self.chats[number]

    # --- HTTP ---

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, Cut):
                while await self._serve(reader, writer):
                    pass
        except asyncio.CancelledError:
            # Only close() cancels; the streams module would report a cancelled handler as an error.
            pass
        finally:
            self._connections.discard(task)
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; False where the client is gone."""
        head = await reader.readuntil(b"\r\n\r\n")
        method, path, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
        length = re.search(rb"(?i)^content-length: *(\d+)", head, re.MULTILINE)
        content = await reader.readexactly(int(length[1])) if length else b""
        body: dict[str, Any] = json.loads(content) if content else {}
        self.requests.append((path, body))
        match method, path:
            case (("GET" | "HEAD"), "/"):
                await _respond(writer, 200, b"Ollama is running", "text/plain; charset=utf-8")
            case "GET", "/api/version":
                await _answer(writer, {"version": "0.11.4"})
            case "GET", "/api/tags":
                await _answer(writer, {"models": [self._entry(name) for name in self.models]})
            case "GET", "/api/ps":
                entries = [{**self._entry(n), "expires_at": _now(), "size_vram": 0} for n in self.loaded]
                await _answer(writer, {"models": entries})
            case "POST", "/api/show":
                await self._show(writer, body)
            case "POST", "/api/chat":
                return await self._chat(reader, writer, body)
            case "POST", "/api/pull":
                return await _stream(reader, writer, self._pull(body), body)
            case _:
                await _respond(writer, 404, b"404 page not found", "text/plain")
        return True

    def _entry(self, name: str) -> dict[str, Any]:
        digest = hashlib.sha256(name.encode()).hexdigest()
        details = {"format": "gguf", "family": "llama", "parameter_size": "3.2B", "quantization_level": "Q4_K_M"}
        return {
            "name": name,
            "model": name,
            "modified_at": _now(),
            "size": 2_019_393_189,
            "digest": digest,
            "details": details,
        }

    async def _show(self, writer: asyncio.StreamWriter, body: dict[str, Any]) -> None:
        name = _full_name(body["model"])
        if name not in self.models:
            await _answer(writer, {"error": f"model '{body['model']}' not found"}, 404)
            return
        shown = {
            "modelfile": "",
            "template": "{{ .Prompt }}",
            "details": self._entry(name)["details"],
            "model_info": {},
        }
        capabilities = self.models[name]
        await _answer(writer, shown if capabilities is None else {**shown, "capabilities": list(capabilities)})

    async def _chat(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, body: dict[str, Any]) -> bool:
        chat = Chat(_full_name(body["model"]), body.get("messages") or [], body)
        (self.chats if chat.messages else self.loads).append(chat)
        async with self._arrived:
            self._arrived.notify_all()
        capabilities = self.models.get(chat.model)
        if chat.model not in self.models:
            await _answer(writer, {"error": f"model '{body['model']}' not found"}, 404)
        elif capabilities is not None and "completion" not in capabilities:
            await _answer(writer, {"error": f'"{body["model"]}" does not support chat'}, 400)
        elif chat.think and "thinking" not in (capabilities or ()):
            await _answer(writer, {"error": f'"{body["model"]}" does not support thinking'}, 400)
        else:
            return await _stream(reader, writer, self._talk(chat), body, chat)
        return True

    async def _talk(self, chat: Chat) -> AsyncGenerator[dict[str, Any], None]:
        if chat.model not in self.loaded:
            await self.before_load(chat.model)
        if chat.keep_alive in (0, "0", "0s", "0m"):
            self.loaded.pop(chat.model, None)
        else:
            self.loaded[chat.model] = chat.keep_alive
        said = {"model": chat.body["model"], "created_at": _now(), "message": {"role": "assistant", "content": ""}}
        if not chat.messages:
            reason = "load" if chat.model in self.loaded else "unload"
            yield {**said, "done": True, "done_reason": reason}
            return
        async for piece in _pieces(self.reply(chat.messages)):
            message = {"role": "assistant", "content": ""}
            if isinstance(piece, Thought):
                message["thinking"] = piece.text
            else:
                message["content"] = piece
            yield {**said, "created_at": _now(), "message": message, "done": False}
            chat.sent.append(piece)
        figures = {"load_duration": 1_334_875, "prompt_eval_count": 26, "eval_count": len(chat.sent)}
        yield {**said, "created_at": _now(), "done": True, "done_reason": "stop", "total_duration": 1, **figures}

    async def _pull(self, body: dict[str, Any], steps: int = 8) -> AsyncGenerator[dict[str, Any], None]:
        name = _full_name(body["model"])
        yield {"status": "pulling manifest"}
        if name not in self.library:
            raise Failed("pull model manifest: file does not exist")
        total = self.library[name]
        digest = hashlib.sha256(name.encode()).hexdigest()
        part = {"status": f"pulling {digest[:12]}", "digest": f"sha256:{digest}", "total": total}
        while (completed := self.pulled.setdefault(name, 0)) < total:
            await self.before_pull(completed)
            yield {**part, "completed": completed} if completed else part
            self.pulled[name] = min(total, completed + -(-total // steps))
        yield {**part, "completed": total}
        self.models[name] = ("completion",)
        for status in ("verifying sha256 digest", "writing manifest", "success"):
            yield {"status": status}


async def _stream(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    lines: AsyncGenerator[dict[str, Any], None],
    body: dict[str, Any],
    chat: Chat | None = None,
) -> bool:
    """Send lines as they come, until the client goes; False where it did."""
    chat = chat or Chat(body["model"], [], body)
    sending = asyncio.create_task(_send_lines(writer, lines, streaming=body.get("stream", True) is not False))
    leaving = asyncio.create_task(reader.read(1))
    try:
        await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
        with contextlib.suppress(ConnectionError):
            if sending.done():
                await sending
                chat.finished.set()
                return True
        chat.stopped.set()
        return False
    finally:
        for task in (sending, leaving):
            task.cancel()
        await asyncio.gather(sending, leaving, return_exceptions=True)


async def _send_lines(
    writer: asyncio.StreamWriter, lines: AsyncGenerator[dict[str, Any], None], *, streaming: bool
) -> None:
    """Send lines as a chunked body, or the last of them as a whole one. A broken off body lacks its last chunk."""
    started = False
    async with contextlib.aclosing(lines):
        try:
            last: dict[str, Any] = {}
            async for last in lines:
                if streaming:
                    if not started:
                        writer.write(
                            _HEAD.format("200 OK", "application/x-ndjson", "transfer-encoding: chunked").encode()
                        )
                    started = True
                    await _chunk(writer, json.dumps(last).encode() + b"\n")
        except Failed as error:
            if not started:
                await _answer(writer, {"error": str(error)}, 500)
                return
            await _chunk(writer, json.dumps({"error": str(error)}).encode() + b"\n")
    if streaming:
        writer.write(b"0\r\n\r\n")
        await writer.drain()
    else:
        await _answer(writer, last)


async def _chunk(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(b"%x\r\n%b\r\n" % (len(data), data))
    await writer.drain()


async def _answer(writer: asyncio.StreamWriter, body: dict[str, Any], status: int = 200) -> None:
    await _respond(writer, status, json.dumps(body).encode(), "application/json; charset=utf-8")


async def _respond(writer: asyncio.StreamWriter, status: int, content: bytes, kind: str) -> None:
    reason = {200: "OK", 400: "Bad Request", 404: "Not Found", 500: "Internal Server Error"}[status]
    writer.write(_HEAD.format(f"{status} {reason}", kind, f"content-length: {len(content)}").encode() + content)
    await writer.drain()


async def _pieces(script: Script) -> AsyncIterator[Piece]:
    """A script's pieces; a text goes out word by word."""
    if isinstance(script, AsyncIterator):
        async for piece in script:
            yield piece
        return
    for piece in re.findall(r"\s*\S+|\s+", script) if isinstance(script, str) else script:
        yield piece


def _full_name(name: str) -> str:
    return name if ":" in name else f"{name}:latest"


def _now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


_HEAD = "HTTP/1.1 {}\r\ncontent-type: {}\r\n{}\r\n\r\n"
