"""Agent: the caller talks with a language model."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from itertools import chain
from typing import Any

from voip_engine.modes import turns
from voip_engine.modes.base import Speech, Utterance, VoiceLeg
from voip_engine.modes.conversation import AgentWords, conversation_of
from voip_engine.modes.heard import Pace
from voip_engine.modes.hearing import hear
from voip_engine.modes.replying import Replying, closing, spoken_clauses, whole_text
from voip_engine.modes.troubles import Troubles
from voip_engine.modes.voices import HeldVoice
from voip_engine.speech.base import ModelMissing, SpeechError, SpeechServices
from voip_engine.speech_settings import AgentSettings


class AgentMode:
    """Greets, listens, thinks and answers. What it lacks is said on the call, which goes on with what there is."""

    name = "agent"

    @staticmethod
    async def warm(services: SpeechServices, agent: AgentSettings) -> None:
        """Load what calls in this mode will need, and make what is said on all. Raises ExceptionGroup of SpeechError."""
        fixed = chain.from_iterable(map(spoken_clauses, (agent.greeting, agent.opening, agent.idle_prompt)))
        results = await asyncio.gather(
            services.recognizer.prepare(),
            services.model.prepare(agent.model),
            services.synthesizer.prepare(agent.voice, fixed),
            return_exceptions=True,
        )
        if failed := [result for result in results if isinstance(result, Exception)]:
            raise ExceptionGroup("Not all that the agent needs is there.", failed)

    async def run(self, leg: VoiceLeg) -> None:
        """Talk until cancelled or the call ends."""
        agent = _Agent(leg)
        try:
            await agent.run()
        finally:
            await agent.voice.close()


class _Agent:
    """One run of the mode: asks the turn-taking rules what to do about all that happens, and does it."""

    def __init__(self, leg: VoiceLeg) -> None:
        self._leg = leg
        self._loop = asyncio.get_running_loop()
        self._troubles = Troubles(leg)
        self.voice = HeldVoice(leg, self._troubles)
        self._conversation = conversation_of(leg.memory)
        self._settings = leg.agent
        self._turns = turns.Turns(_rules(leg.agent), self._loop.time())
        self._pace = Pace()
        self._tasks: set[asyncio.Task[None]] = set()
        self._model_ready = asyncio.Event()
        """The model is loaded, or could not be."""
        self._reply: Replying | None = None
        self._reply_number = 0
        self._heard: tuple[Utterance, float] | None = None
        """The utterance whose text came last, and when, on `time.monotonic`."""
        self._asked: tuple[Utterance, float] | None = None
        """The same of the last that counts as said."""
        self._over = False
        self._timer: asyncio.TimerHandle | None = None
        self._shown = ""

    async def run(self) -> None:
        """Talk until the call ends."""
        utterances, speech = self._leg.utterances(speech_only=True), self._leg.speech()
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                self._begin(self._hear(utterances))
                self._begin(self._prepare_model())
                self._begin(self._prepare_voice())
                if self._opening() and not self._conversation.agent_spoke:
                    self._tell(turns.OpeningWanted())
                self._set_timer(self._turns.deadline)
                self._show()
                try:
                    await self._follow(speech)
                finally:
                    self._over = True
                for task in self._tasks:
                    task.cancel()
        finally:
            self._set_timer(None)

    # ---- what happens -------------------------------------------------------------------------------------------------

    async def _follow(self, speech: AsyncIterator[Speech]) -> None:
        async for change in speech:
            if change.started:
                self._tell(turns.SpeechStarted(change.at_s))
            else:
                self._tell(turns.SpeechStopped(change.at_s, change.fragment))

    async def _hear(self, utterances: AsyncIterator[Utterance]) -> None:
        try:
            await self._leg.services.recognizer.prepare()
        except SpeechError as error:
            self._troubles.failed("hearing", error)  # what is said meanwhile gets a line that says so, too
        await hear(self._leg, utterances, self)

    def utterance_taken(self, number: int, utterance: Utterance) -> None:
        """An utterance is being transcribed."""
        self._tell(turns.UtteranceTaken(number, utterance.ended_s))

    def text_heard(self, number: int, utterance: Utterance, text: str) -> None:
        """Its text is there."""
        self._troubles.works("hearing")
        self._heard = (utterance, time.monotonic())
        self._tell(turns.Transcribed(number, text))

    def text_lost(self, number: int, error: SpeechError) -> None:
        """It will have no text; its line in the dialogue says why."""
        if isinstance(error, ModelMissing):
            self._troubles.failed("hearing", error)
        self._tell(turns.TranscriptLost(number))

    async def _prepare_model(self) -> None:
        try:
            await self._leg.services.model.prepare(self._leg.agent.model)
        except SpeechError as error:
            self._troubles.failed("model", error)
        finally:
            self._model_ready.set()

    async def _prepare_voice(self) -> None:
        await self.voice.get()

    def _tell(self, event: turns.Event) -> None:
        """Let the rules know of an event, and do what they say."""
        if self._leg.agent is not self._settings:
            self._settings = self._leg.agent
            self._turns.rules = _rules(self._settings)
        for effect in self._turns.receive(event, self._loop.time()):
            self._do(effect)
        self._set_timer(self._turns.deadline)
        self._show()

    def _set_timer(self, deadline: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if deadline is None else self._loop.call_at(deadline, self._tell, turns.TimePassed())

    def _show(self) -> None:
        word = self._turns.activity
        if word != self._shown:
            self._shown = word
            self._leg.activity(word)

    # ---- what is done -------------------------------------------------------------------------------------------------

    def _do(self, effect: turns.Effect) -> None:
        reply = self._reply
        match effect:
            case turns.CallerSaid(_, text):
                self._conversation.caller_said(text)
                self._asked = self._heard
            case turns.BeginReply(number, _):
                self._begin_reply(number, self._think, asked=self._asked)
            case turns.SayOpening(number):
                self._begin_reply(number, lambda: whole_text(self._opening()), cached=True)
            case turns.SayIdlePrompt(number):
                self._begin_reply(number, lambda: whole_text(self._leg.agent.idle_prompt), cached=True)
            case turns.Hold(number) if reply is not None and number == self._reply_number:
                reply.hold()
            case turns.Resume(number) if reply is not None and number == self._reply_number:
                reply.resume()
            case turns.CancelReply(number) if reply is not None and number == self._reply_number:
                reply.cancel()
            case _:
                pass

    def _begin_reply(
        self,
        number: int,
        pieces: Callable[[], AsyncIterator[str]],
        *,
        asked: tuple[Utterance, float] | None = None,
        cached: bool = False,
    ) -> None:
        before, self._reply_number = self._reply, number
        observer = _Observer(number, self._tell, self._troubles, self._conversation.agent_speaks)
        self._reply = Replying(self._leg, observer, self._pace)
        self._begin(self._answer(number, self._reply, before, pieces, asked, cached))

    async def _answer(
        self,
        number: int,
        reply: Replying,
        before: Replying | None,
        pieces: Callable[[], AsyncIterator[str]],
        asked: tuple[Utterance, float] | None,
        cached: bool,
    ) -> None:
        if before is not None:
            await before.settled.wait()  # until then the conversation does not know what was heard
        voice = await self.voice.get()
        if voice is not None:
            utterance, text_at = asked or (None, None)
            await reply.run(voice, pieces, utterance=utterance, text_at=text_at, cached=cached)
        reply.settled.set()
        self._tell(turns.ReplyFinished(number))

    async def _think(self) -> AsyncGenerator[str, None]:
        await self._model_ready.wait()
        agent = self._leg.agent
        messages = self._conversation.messages(agent.prompt, agent.keep_turns)
        async with closing(self._leg.services.model.reply(messages, model=agent.model)) as pieces:
            async for piece in pieces:
                yield piece

    def _opening(self) -> str:
        return self._leg.agent.opening if self._leg.outbound else self._leg.agent.greeting

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        if self._over:
            work.close()
            return
        task = self._group.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class _Observer:
    """Tells the rules and the conversation how one reply goes."""

    def __init__(
        self,
        number: int,
        tell: Callable[[turns.Event], None],
        troubles: Troubles,
        agent_speaks: Callable[[], AgentWords],
    ) -> None:
        self._number = number
        self._tell = tell
        self._troubles = troubles
        self._agent_speaks = agent_speaks
        self._words: AgentWords | None = None

    def reply_audible(self) -> None:
        """Its first packet went out: from here on it has its place in the conversation."""
        self._words = self._agent_speaks()
        self._tell(turns.ReplyAudible(self._number))

    def reply_heard(self, text: str) -> None:
        """So much of it was heard by now."""
        if self._words is not None:
            self._words.heard(text)

    def all_words_heard(self) -> None:
        """What is left is silence."""
        self._tell(turns.AllWordsHeard(self._number))

    def thinking_failed(self, error: SpeechError) -> None:
        """The model broke off; the next turn tries again."""
        self._troubles.failed("model", error)

    def thinking_works(self) -> None:
        """The model answers."""
        self._troubles.works("model")

    def speaking_failed(self, error: SpeechError) -> None:
        """A clause could not be spoken."""
        self._troubles.failed("voice", error)

    def speaking_works(self) -> None:
        """The voice speaks."""
        self._troubles.works("voice")


def _rules(agent: AgentSettings) -> turns.Rules:
    return turns.Rules(
        interruptible=agent.interruptible,
        backchannels=turns.backchannel_words(agent.backchannels),
        idle_s=agent.idle_s if agent.idle_prompt.strip() else None,
    )
