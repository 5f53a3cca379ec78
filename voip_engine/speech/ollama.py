"""A chat model on an Ollama server, through its own client.

API: https://github.com/ollama/ollama/blob/main/docs/api.md. Every wait has an end: connecting, loading a model, and the
gap between two tokens. Errors name the server and the model, and nothing of what was said.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from importlib import import_module
from typing import Any

from voip_engine.speech.base import Message, ModelMissing, SpeechError
from voip_engine.speech.ollama_models import start_command
from voip_engine.speech.thoughts import ThoughtFilter
from voip_engine.speech_settings import AgentSettings

_MISUNDERSTANDINGS = (ValueError, TypeError, AttributeError)
"""What the client raises over an answer that isn't what it expects, be it no JSON or another shape."""


class OllamaModel:
    """Implements LanguageModel. Takes the server's address, `keep_alive` and the time-outs from the settings.

    Neither OLLAMA_HOST nor a proxy in the environment has a say: the settings name the server.
    """

    def __init__(self, settings: AgentSettings) -> None:
        self._settings = settings
        self._keep_alive = _seconds_as_number(settings.keep_alive)
        self._client: Any = None
        self._connecting = asyncio.Lock()
        self._capabilities: dict[str, frozenset[str]] = {}
        self._loaded: set[str] = set()

    async def prepare(self, model: str) -> None:
        """Have the server load the model and keep it; waits up to `load_timeout_s`. Raises ModelMissing or SpeechError."""
        settings = self._settings
        self._forget(model)
        await self._ask_capabilities(model)
        if self._keep_alive == 0:
            return  # Without messages that would have the server unload it.
        client = await self._connect()
        try:
            async with asyncio.timeout(settings.load_timeout_s):
                await client.chat(model=model, keep_alive=self._keep_alive)
        except TimeoutError:
            raise SpeechError(
                f"The Ollama server at {settings.host} did not load {model} within {settings.load_timeout_s:g} s."
            ) from None
        except Exception as error:
            raise self._explained(error, model, tell=True) from error
        self._loaded.add(model)

    async def reply(self, messages: tuple[Message, ...], *, model: str) -> AsyncGenerator[str, None]:
        """Stream the reply's text in pieces, without the model's thoughts. Closing the iterator stops the model.

        The first token may take `load_timeout_s` if the model was not prepared; between tokens, and before the first of a
        prepared model, `token_timeout_s` may pass. Thoughts before the first word may take `load_timeout_s` at most.
        Raises ModelMissing or SpeechError, also in mid-stream.
        """
        request: dict[str, Any] = {
            "model": model,
            "messages": [{"role": message.role, "content": message.content} for message in messages],
            "keep_alive": self._keep_alive,
            "stream": True,
        }
        if "thinking" in await self._ask_capabilities(model):
            request["think"] = False
        client = await self._connect()
        thoughts = ThoughtFilter()
        try:
            async with aclosing(await client.chat(**request)) as stream, aclosing(self._timed(stream, model)) as parts:
                async for part in parts:
                    if text := thoughts.feed(part):
                        yield text
            if text := thoughts.finish():
                yield text
        except SpeechError:
            self._forget(model)
            raise
        except Exception as error:
            self._forget(model)
            raise self._explained(error, model, tell=False) from None

    async def close(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def _timed(self, stream: Any, model: str) -> AsyncGenerator[str, None]:
        """The stream's texts, each within its time, up to the part that says it is done."""
        settings = self._settings
        loop = asyncio.get_running_loop()
        first_word_by = loop.time() + settings.load_timeout_s
        allowed_s = settings.token_timeout_s if model in self._loaded else settings.load_timeout_s
        spoken = False
        while True:
            deadline = loop.time() + allowed_s
            try:
                if not spoken:
                    if loop.time() > first_word_by:  # Thoughts that come without a pause never let the time-out in.
                        raise TimeoutError
                    deadline = min(deadline, first_word_by)
                async with asyncio.timeout_at(deadline):
                    part = await anext(stream, None)
            except TimeoutError:
                raise SpeechError(
                    f"{model} on the Ollama server at {settings.host} fell silent in its reply for {allowed_s:g} s."
                    if spoken
                    else f"{model} on the Ollama server at {settings.host} did not begin its reply in time."
                ) from None
            if part is None:
                raise SpeechError(f"The Ollama server at {settings.host} ended the reply of {model} early.")
            allowed_s = settings.token_timeout_s
            self._loaded.add(model)
            if part.message.content:
                spoken = True
                yield part.message.content
            if part.done:
                return

    async def _ask_capabilities(self, model: str) -> frozenset[str]:
        """What the model can do; nothing where the server is too old to say. Asked once."""
        known = self._capabilities.get(model)
        if known is not None:
            return known
        client = await self._connect()
        try:
            async with asyncio.timeout(self._settings.token_timeout_s):
                shown = await client.show(model)
            capabilities = frozenset(shown.capabilities or ())
        except TimeoutError:
            raise SpeechError(f"The Ollama server at {self._settings.host} does not answer.") from None
        except _MISUNDERSTANDINGS:
            # An older server leaves out what this client insists on. What is no Ollama server shows when it should chat.
            capabilities = frozenset()
        except Exception as error:
            raise self._explained(error, model, tell=True) from error
        self._capabilities[model] = capabilities
        return capabilities

    async def _connect(self) -> Any:
        """The client. Its import takes half a second and would hold the event loop up."""
        async with self._connecting:
            if self._client is None:
                settings = self._settings
                ollama, httpx = await asyncio.to_thread(lambda: (import_module("ollama"), import_module("httpx")))
                self._client = await asyncio.to_thread(
                    ollama.AsyncClient,
                    settings.host,
                    timeout=httpx.Timeout(None, connect=settings.connect_timeout_s),
                    limits=httpx.Limits(max_connections=None, max_keepalive_connections=4),
                    trust_env=False,
                )
            return self._client

    def _forget(self, model: str) -> None:
        """The server may have lost, replaced or unloaded the model: ask anew, and give it time to load."""
        self._capabilities.pop(model, None)
        self._loaded.discard(model)

    def _explained(self, error: Exception, model: str, *, tell: bool) -> SpeechError:
        """An error of the client in plain words; what the server says of it only if it cannot repeat the caller (`tell`)."""
        host = self._settings.host
        httpx, ollama = import_module("httpx"), import_module("ollama")
        match error:
            case ConnectionError() | httpx.ConnectError() | httpx.ConnectTimeout():
                return ModelMissing(
                    f"No Ollama server answers at {host}.", what="Ollama server", mend=start_command(host)
                )
            case ollama.ResponseError(status_code=404) if "not found" in error.error and "model" in error.error:
                name = f"ollama:{model}"
                return ModelMissing(
                    f"The Ollama server at {host} has no model {model}.",
                    what=f"Ollama model {model}",
                    mend=f"voip-tui models pull {name}",
                    model=name,
                )
            case ollama.ResponseError(status_code=404):
                return SpeechError(f"What answers at {host} is no Ollama server.")
            case ollama.ResponseError():
                said = f": {error.error[:200].strip()}" if tell and error.error.strip() else ""
                status = f" with HTTP {error.status_code}" if error.status_code > 0 else ""
                return SpeechError(f"The Ollama server at {host} failed{status} over {model}{said}.")
            case httpx.HTTPError():
                return SpeechError(f"The connection to the Ollama server at {host} broke.")
            case _ if isinstance(error, _MISUNDERSTANDINGS):
                return SpeechError(f"What answers at {host} does not speak Ollama's language.")
        return SpeechError(f"The Ollama client failed with {type(error).__name__}.")


def _seconds_as_number(keep_alive: str) -> str | int:
    """The server reads text with a unit as a duration, and seconds as a number only."""
    number = re.match(r"-?[0-9]+", keep_alive)
    if number is not None and (number[0] == keep_alive or int(number[0]) == 0):
        return int(number[0])
    return keep_alive
