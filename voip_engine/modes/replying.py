"""One reply of the agent, from the model's first word to the last sample that goes out.

pieces of text ──► clauses ──► speakable ──► voice ──► playout ──► what was heard
     (the model)    (queue)                            (at most AHEAD_S unheard before the next clause is begun)
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Final, Protocol, TypeVar

from voip_engine.audio import SAMPLE_RATE_HZ
from voip_engine.modes.base import Reply, Stage, StreamedPlayout, Utterance, VoiceLeg
from voip_engine.modes.clauses import Clause, ClauseCutter
from voip_engine.modes.heard import ClauseAudio, HeardText, Pace
from voip_engine.modes.spoken import SpokenText, speakable
from voip_engine.speech.base import SpeechError, Voice

AHEAD_S: Final = 4.0
"""No clause is begun while so much is unheard: a reply that is cut wastes little."""
CLAUSES_WAITING: Final = 64
"""A model that is further ahead of its voice is not read from for a while."""
STOP_S: Final = 1.0
"""How long a playout that was stopped may take to say how much of it was heard."""

T = TypeVar("T")


class ReplyObserver(Protocol):
    """Who wants to know how a reply goes."""

    def reply_audible(self) -> None:
        """Its first packet went out."""
        ...

    def reply_heard(self, text: str) -> None:
        """So much of it was heard by now."""
        ...

    def all_words_heard(self) -> None:
        """It is whole, and all of its words were heard."""
        ...

    def thinking_failed(self, error: SpeechError) -> None:
        """No more text comes."""
        ...

    def thinking_works(self) -> None:
        """The first text came."""
        ...

    def speaking_failed(self, error: SpeechError) -> None:
        """A clause could not be spoken."""
        ...

    def speaking_works(self) -> None:
        """The first audio came."""
        ...


@contextlib.asynccontextmanager
async def closing(iterator: AsyncIterator[T]) -> AsyncGenerator[AsyncIterator[T], None]:
    """Close a generator at the end, so that what it does stops at once."""
    try:
        yield iterator
    finally:
        if isinstance(iterator, AsyncGenerator):
            await iterator.aclose()


async def whole_text(text: str) -> AsyncGenerator[str, None]:
    """A fixed text, in the shape of a model's."""
    yield text


def spoken_clauses(text: str) -> list[str]:
    """What a voice is given to say a fixed text, clause by clause; the same as `Replying` gives it."""
    cutter, spoken = ClauseCutter(), SpokenText()
    clauses = [spoken.clause(clause.text) for clause in (*cutter.feed(text), *cutter.finish())]
    return [words for words in clauses if _can_be_said(words)]


def _can_be_said(words: str) -> bool:
    return any(map(str.isalnum, words))


class Replying:
    """Says one reply. `hold`, `resume` and `cancel` work at any time, also before `run`."""

    def __init__(self, leg: VoiceLeg, observer: ReplyObserver, pace: Pace) -> None:
        self.settled = asyncio.Event()
        """Set when it is over and the observer knows all that was heard."""
        self.cancelled = False
        self.complete = False
        """Whether all of the text was spoken and heard."""
        self._leg = leg
        self._observer = observer
        self._line: Reply | None = None
        self._text = ""
        self._heard = HeardText(pace, speakable)
        self._clauses: asyncio.Queue[Clause | None] = asyncio.Queue(CLAUSES_WAITING)
        self._held = False
        self._playout: StreamedPlayout | None = None
        self._sounding = asyncio.Event()
        """There is a playout, or there will be none."""
        self._went_out = asyncio.Event()
        self._audible = False
        self._all_heard = False
        self._broken = False
        self._spoken = False
        self._working: tuple[asyncio.Task[None], ...] = ()

    def hold(self) -> None:
        """Pause where it is; if nothing went out yet, nothing will before `resume`."""
        self._held = True
        if self._playout is not None:
            self._playout.pause()
        if self._line is not None:
            self._line.pause(True)

    def resume(self) -> None:
        """Go on at the sample where it was held."""
        self._held = False
        if self._playout is not None:
            self._playout.resume()
        if self._line is not None:
            self._line.pause(False)

    def cancel(self) -> None:
        """Stop the model, the synthesis and the playout at once; `run` ends when it is known what was heard."""
        if self.cancelled or self.settled.is_set():
            return
        self.cancelled = True
        for task in self._working:
            task.cancel()
        if self._playout is not None:
            self._playout.stop()
        if self._line is None:
            self.settled.set()

    async def run(
        self,
        voice: Voice,
        pieces: Callable[[], AsyncIterator[str]],
        *,
        utterance: Utterance | None = None,
        text_at: float | None = None,
        cached: bool = False,
    ) -> None:
        """Say what `pieces` gives, as the answer to `utterance`, whose text was there at `text_at` on `time.monotonic`.

        `cached`: fixed sentences, whose audio is kept. Errors go to the observer.
        """
        if self.cancelled:
            return
        self._line = self._leg.begin_reply(utterance)
        if utterance is not None:
            self._line.reached("endpoint", utterance.endpoint_at)
        if text_at is not None:
            self._line.reached("text", text_at)
        try:
            async with asyncio.TaskGroup() as tasks:
                thinking = tasks.create_task(self._think(pieces()))
                speaking = tasks.create_task(self._speak(voice, cached))
                following = tasks.create_task(self._follow(thinking, speaking))
                self._working = (thinking, speaking, following)
            await self._stopped()
        finally:
            self._settle(self._line)

    async def _think(self, pieces: AsyncIterator[str]) -> None:
        cutter = ClauseCutter()
        try:
            async with closing(pieces):
                async for piece in pieces:
                    if not self._text:
                        self._observer.thinking_works()
                        self._reached("first_token")
                    self._text += piece
                    if self._line is not None:
                        self._line.add(piece)
                    for clause in cutter.feed(piece):
                        await self._clauses.put(clause)
            for clause in cutter.finish():
                await self._clauses.put(clause)
            if not self._text.strip():
                raise SpeechError("The model answered nothing.")
        except SpeechError as error:
            self._broken = True
            self._observer.thinking_failed(error)
        await self._clauses.put(None)

    async def _speak(self, voice: Voice, cached: bool) -> None:
        spoken = SpokenText()
        while (clause := await self._clauses.get()) is not None:
            words = spoken.clause(clause.text)
            if _can_be_said(words):
                await self._room()
                await self._say(voice, clause, words, cached)
        self._spoken = True
        if self._playout is not None:
            self._playout.finish()
        self._sounding.set()
        self._note()

    async def _say(self, voice: Voice, clause: Clause, words: str, cached: bool) -> None:
        sound: ClauseAudio | None = None
        try:
            async with closing(voice.say(words, cached=cached)) as chunks:
                async for audio in chunks:
                    if self._playout is None:
                        self._playout = self._leg.open_playout()
                        if self._held:
                            self._playout.pause()
                        self._sounding.set()
                    self._playout.append(audio)
                    if sound is None:
                        self._reached("first_audio")
                        sound = self._heard.begin_clause(clause.text, clause.start, clause.end)
                        self._observer.speaking_works()
                    sound.add(audio)
            if sound is not None:
                self._heard.end_clause()
        except SpeechError as error:
            self._broken = True
            self._observer.speaking_failed(error)

    async def _room(self) -> None:
        playout = self._playout
        while playout is not None and not playout.done and playout.queued - playout.heard > AHEAD_S * SAMPLE_RATE_HZ:
            self._went_out.clear()
            await self._went_out.wait()

    async def _follow(self, thinking: asyncio.Task[None], speaking: asyncio.Task[None]) -> None:
        await self._sounding.wait()
        playout = self._playout
        while playout is not None:
            await playout.progress()
            self._note()
            self._went_out.set()
            if playout.done:
                thinking.cancel()  # there is work left only if the playout ended early: with the call, or its media process
                speaking.cancel()
                break

    async def _stopped(self) -> None:
        """Wait until a playout that was cancelled says how much of it was heard; what it last said has to do if it doesn't."""
        if self._playout is not None and not self._playout.done:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STOP_S):
                    await self._playout.wait()

    def _note(self) -> None:
        """Tell the line and the observer how much was heard."""
        playout = self._playout
        if playout is None or playout.first_packet_at is None:
            return
        if not self._audible:
            self._audible = True
            if self._line is not None:
                self._line.reached("first_packet", playout.first_packet_at)
            self._observer.reply_audible()
        heard = self._heard.heard(playout.heard)
        if self._line is not None:
            self._line.heard(heard.characters)
        self._observer.reply_heard(heard.text)
        if self._spoken and not self._all_heard and self._heard.all_heard(playout.heard):
            self._all_heard = True
            self._observer.all_words_heard()

    def _reached(self, stage: Stage) -> None:
        if self._line is not None:
            self._line.reached(stage, time.monotonic())

    def _settle(self, line: Reply) -> None:
        playout = self._playout
        if playout is not None and not playout.done:
            playout.stop()
        self._note()
        whole = playout is None or (self._all_heard and playout.done)
        self.complete = self._spoken and not self._broken and not self.cancelled and whole
        if not self._audible and (self.cancelled or not self._text):
            line.discard()
        else:
            line.end(cut=not self.complete)
        self.settled.set()
