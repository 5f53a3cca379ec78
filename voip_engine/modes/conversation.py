"""What was said on a call, as a language model is told it: the agent's part as far as the caller heard it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final, Literal

from voip_engine.speech.base import Message

MEMORY_KEY: Final = "conversation"
"""Where modes keep the conversation in a leg's memory."""
REMARKS_KEPT: Final = 2_000
"""More than the model is ever shown as turns; the oldest are forgotten."""
SENTENCES_KEPT: Final = 40
"""Of what a caller said without an answer, so much is kept: the last utterances."""


@dataclass(slots=True)
class Remark:
    """What one side said before the other did. An agent's `sentences` hold one text, which grows as it is heard."""

    role: Literal["user", "assistant"]
    sentences: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All of it, empty if nothing was heard."""
        return " ".join(filter(None, self.sentences))


class AgentWords:
    """What the caller hears of one reply; `heard` replaces it as it grows."""

    def __init__(self, remark: Remark) -> None:
        self._remark = remark

    def heard(self, text: str) -> None:
        """So much of the reply was heard by now."""
        self._remark.sentences = [text.strip()]


class Conversation:
    """A call's conversation. It outlives modes (see `conversation_of`)."""

    def __init__(self) -> None:
        self._remarks: deque[Remark] = deque(maxlen=REMARKS_KEPT)

    @property
    def agent_spoke(self) -> bool:
        """Whether the caller has heard a word of the agent."""
        return any(remark.role == "assistant" and remark.text for remark in self._remarks)

    def caller_said(self, text: str) -> None:
        """Add an utterance. Several without a word of the agent between them are one turn."""
        if not self._remarks or self._remarks[-1].role != "user":
            self._remarks.append(Remark("user"))
        sentences = self._remarks[-1].sentences
        sentences.append(text.strip())
        del sentences[:-SENTENCES_KEPT]

    def agent_speaks(self) -> AgentWords:
        """The agent is heard from now on. It has said nothing until the words say so."""
        remark = Remark("assistant")
        self._remarks.append(remark)
        return AgentWords(remark)

    def messages(self, prompt: str, keep_turns: int) -> tuple[Message, ...]:
        """The prompt and the last `keep_turns` turns (a caller's words and what answered them), roles alternating."""
        merged: list[Message] = []
        for remark in self._remarks:
            text = remark.text
            if text and merged and merged[-1].role == remark.role:
                merged[-1] = Message(remark.role, f"{merged[-1].content} {text}")
            elif text:
                merged.append(Message(remark.role, text))
        turns = [index for index, message in enumerate(merged) if message.role == "user"]
        if len(turns) > keep_turns:
            merged = merged[turns[-keep_turns] :]
        return (*((Message("system", prompt),) if prompt.strip() else ()), *merged)


def conversation_of(memory: dict[str, object]) -> Conversation:
    """The conversation in a leg's memory; begins one if there is none."""
    conversation = memory.setdefault(MEMORY_KEY, Conversation())
    if not isinstance(conversation, Conversation):
        raise TypeError(f"The memory's {MEMORY_KEY!r} belongs to another mode.")
    return conversation
