"""What modes ask of speech recognition, a language model and speech synthesis, whoever does it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Protocol, Self

from voip_engine.audio import Audio
from voip_engine.errors import EngineError


class SpeechError(EngineError):
    """Recognition, the language model or synthesis failed; the text is a plain sentence without what was said."""


class ModelMissing(SpeechError):
    """A model, a package or a server is not there. `mend` is the one command that helps, `model` what `models pull` takes."""

    def __init__(self, detail: str, *, what: str, mend: str, model: str | None = None) -> None:
        super().__init__(detail)
        self.what = what
        self.mend = mend
        self.model = model


class Dropped(SpeechError):
    """An utterance was not transcribed, because the machine is behind; the text says how far."""


class AtCapacity(SpeechError):
    """The machine carries no further call with a voice in real time; nothing was started."""


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was said in one utterance. An empty `text`: nothing that is speech.

    `confidence` from 0 to 1 is the mean probability of a token; `language` an ISO 639-1 code; `busy_s` what the model took
    alone, `waited_s` how long the utterance queued before.
    """

    text: str
    confidence: float
    language: str
    busy_s: float
    waited_s: float


@dataclass(frozen=True, slots=True)
class Message:
    """One entry of a chat history."""

    role: Literal["system", "user", "assistant"]
    content: str


class Recognizer(Protocol):
    """Speech to text, shared by all calls."""

    async def prepare(self) -> None:
        """Load the model, if that isn't done. Raises ModelMissing or SpeechError."""
        ...

    async def transcribe(self, call_id: str, audio: Audio, *, language: str | None = None) -> Transcript:
        """Transcribe one utterance; calls take turns. Raises Dropped or another SpeechError. Cancelling takes it back."""
        ...


class LanguageModel(Protocol):
    """A chat model on a server."""

    async def prepare(self, model: str) -> None:
        """Have the server load the model and keep it. Raises ModelMissing or SpeechError."""
        ...

    def reply(self, messages: tuple[Message, ...], *, model: str) -> AsyncIterator[str]:
        """Stream the reply's text in pieces, without the model's thoughts. Closing the iterator stops the model.

        Raises ModelMissing or SpeechError, also in mid-stream.
        """
        ...


class Voice(Protocol):
    """The right to speak on one call, for as long as it is held.

    `async with await synthesizer.open_voice(call_id, name) as voice:` holds it within the block.
    """

    async def __aenter__(self) -> Self:
        """Hold it."""
        ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Give it back."""
        ...

    def say(self, text: str, *, cached: bool = False) -> AsyncIterator[Audio]:
        """Stream a clause's audio (float32, mono, 16 kHz) as it is made; closing the iterator stops the synthesis.

        `cached`: a fixed sentence, made once and kept. Raises SpeechError.
        """
        ...

    async def release(self) -> None:
        """Give the right back. A second time does nothing."""
        ...


class Synthesizer(Protocol):
    """Text to speech, shared by all calls."""

    async def prepare(self, voice: str, sentences: Iterable[str] = ()) -> None:
        """Load what a voice needs, and make fixed sentences beforehand. Admits no call. Raises as `open_voice` and `say` do."""
        ...

    async def open_voice(self, call_id: str, voice: str) -> Voice:
        """Load what the voice (a name or a file) needs and admit a call. Raises AtCapacity, ModelMissing or SpeechError."""
        ...


@dataclass(frozen=True, slots=True)
class SpeechServices:
    """The three that a speaking mode needs."""

    recognizer: Recognizer
    model: LanguageModel
    synthesizer: Synthesizer
