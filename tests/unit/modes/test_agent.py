from __future__ import annotations

import asyncio

import numpy as np
import pytest
from support import virtual_time
from support.telephone import LETTER_S, SECOND, Mind, OnCall, Telephone

from voip_engine.modes.agent import AgentMode
from voip_engine.modes.transcribe import TranscribeMode
from voip_engine.speech.base import AtCapacity, Dropped, ModelMissing, SpeechError
from voip_engine.speech_settings import AgentSettings

LONG = "We are open from nine. On Sunday we are closed. Bring an umbrella, please. It always rains here. Good bye."


def said_by(telephone: Telephone, role: str) -> list[str]:
    return [message.content for message in telephone.mind.asked[-1] if message.role == role]


def telephone(*answers: str | SpeechError, outbound: bool = False, **settings: object) -> Telephone:
    made = Telephone(AgentSettings(prompt="Be kind.", **settings), outbound=outbound)  # type: ignore[arg-type]
    made.mind = Mind(*answers)
    made.services = type(made.services)(made.ears, made.mind, made.mouth)
    return made


def test_a_question_is_answered_with_every_stage_noted() -> None:
    async def call() -> None:
        async with OnCall(telephone("Yes. Until noon."), AgentMode()) as leg:
            await leg.say("Are you open?")
            await leg.until(lambda: leg.lines and leg.last.outcome)
            assert leg.last.outcome == "spoken"
            assert leg.last.text == "Yes. Until noon."
            assert leg.last.characters == len(leg.last.text)
            assert leg.last.stages == ["endpoint", "text", "first_token", "first_audio", "first_packet"]
            assert [text for text, _ in leg.mouth.said] == ["Yes.", "Until noon."]
            assert len(leg.sent) == pytest.approx(len("Yes.Until noon.") * LETTER_S * SECOND, rel=0.05)
            assert [m.content for m in leg.mind.asked[0]] == ["Be kind.", "Are you open?"]
            assert leg.activities == ["listening", "hearing", "transcribing", "thinking", "speaking", "listening"]
            await leg.say("Thanks.")
            await leg.until(lambda: len(leg.mind.asked) == 2)
            assert said_by(leg, "assistant") == ["Yes. Until noon."]

    virtual_time.run(call())


def test_the_first_clause_goes_out_while_the_model_still_writes() -> None:
    async def call() -> None:
        async with OnCall(telephone(f"Yes. {LONG}"), AgentMode()) as leg:
            leg.mind.token_s = 1.0
            await leg.say("Are you open?")
            await leg.until(lambda: leg.playouts and leg.playouts[0].heard)
            assert leg.last.text.startswith("Yes. ")
            assert len(leg.last.text) < 20

    virtual_time.run(call())


def test_an_interruption_cuts_the_reply_and_the_history_at_what_was_heard() -> None:
    async def call() -> None:
        async with OnCall(telephone(LONG, "At nine."), AgentMode()) as leg:
            await leg.say("When are you open?")
            await leg.until(lambda: leg.playouts and leg.playouts[0].heard > 2 * SECOND)
            leg.start_speaking()
            await asyncio.sleep(0.04)
            heard = leg.playouts[0].heard
            await asyncio.sleep(1.0)
            assert leg.playouts[0].heard == heard
            assert leg.activities[-1] == "paused"
            leg.stop_speaking("No, when on Monday?")
            await leg.until(lambda: len(leg.mind.asked) == 2)
            first = leg.lines[0]
            assert first.outcome == "cut"
            assert leg.playouts[0].heard == heard
            assert leg.mouth.speaking == 0
            assert leg.mind.closed == 1
            (kept,) = said_by(leg, "assistant")
            assert kept == first.text[: first.characters]
            seconds_of_text = len(kept) * LETTER_S
            assert seconds_of_text == pytest.approx(heard / SECOND, abs=0.5)
            assert said_by(leg, "user") == ["When are you open?", "No, when on Monday?"]
            await leg.until(lambda: leg.last.outcome == "spoken" and leg.last.text == "At nine.")

    virtual_time.run(call())


@pytest.mark.parametrize("text", [None, "", "mhm", Dropped("The machine is behind.")])
def test_after_a_cough_or_assent_the_reply_goes_on_at_the_same_sample(text: str | SpeechError | None) -> None:
    async def call() -> tuple[np.ndarray, Telephone]:
        async with OnCall(telephone(LONG), AgentMode()) as leg:
            await leg.say("When are you open?")
            await leg.until(lambda: leg.playouts and leg.playouts[0].heard > 2 * SECOND)
            await leg.say(text, 0.6)
            await leg.until(lambda: leg.last.outcome)
            return leg.sent, leg

    async def undisturbed() -> np.ndarray:
        async with OnCall(telephone(LONG), AgentMode()) as leg:
            await leg.say("When are you open?")
            await leg.until(lambda: leg.lines and leg.last.outcome)
            return leg.sent

    sent, leg = virtual_time.run(call())
    assert leg.last.outcome == "spoken"
    assert leg.last.pauses == [True, False]
    assert len(leg.lines) == len(leg.mind.asked) == 1
    assert np.array_equal(sent, virtual_time.run(undisturbed()))


def test_a_sentence_added_before_the_reply_is_heard_gets_one_reply_to_both() -> None:
    async def call() -> None:
        async with OnCall(telephone("For one?", "For two, then."), AgentMode()) as leg:
            await leg.say("I want a table.")
            await asyncio.sleep(0.35)  # the model works
            await leg.say("For two.")
            await leg.until(lambda: leg.last.outcome == "spoken")
            assert [line.outcome for line in leg.lines] == ["discarded", "spoken"]
            assert said_by(leg, "user") == ["I want a table. For two."]
            assert said_by(leg, "assistant") == []
            assert sum(playout.heard > 0 for playout in leg.playouts) == 1

    virtual_time.run(call())


def test_a_reply_that_is_ready_while_the_caller_speaks_waits_and_loses_no_sample() -> None:
    async def call() -> None:
        async with OnCall(telephone("For how many?"), AgentMode()) as leg:
            await leg.say("I want a table.")
            await asyncio.sleep(0.3)
            leg.start_speaking()
            await asyncio.sleep(3)
            assert len(leg.sent) == 0
            leg.stop_speaking(None)
            await leg.until(lambda: leg.last.outcome == "spoken")
            assert len(leg.sent) == pytest.approx(len("For how many?") * LETTER_S * SECOND, rel=0.05)

    virtual_time.run(call())


def test_no_more_than_some_seconds_are_synthesised_ahead() -> None:
    async def call() -> None:
        async with OnCall(telephone(" ".join(["This is a sentence of some length."] * 20)), AgentMode()) as leg:
            await leg.say("Tell me all.")
            await leg.until(lambda: leg.playouts and leg.playouts[0].heard > SECOND)
            for _ in range(20):
                await asyncio.sleep(0.5)
                assert leg.playouts[0].queued - leg.playouts[0].heard < 6.5 * SECOND

    virtual_time.run(call())


@pytest.mark.parametrize(("outbound", "words"), [(False, "The bakery, hello."), (True, "This is the bakery.")])
def test_who_calls_hears_the_greeting_and_who_is_called_the_opening(outbound: bool, words: str) -> None:
    async def call() -> None:
        made = telephone(greeting="The bakery, hello.", opening="This is the bakery.", outbound=outbound)
        async with OnCall(made, AgentMode()) as leg:
            await leg.until(lambda: leg.lines and leg.last.outcome)
            assert leg.last.outcome == "spoken"
            assert leg.mouth.said and all(cached for _, cached in leg.mouth.said)
            await leg.say("Hello!")
            await leg.until(lambda: leg.mind.asked)
            assert said_by(leg, "assistant") == [words]

    virtual_time.run(call())


def test_into_silence_the_prompt_is_said_once() -> None:
    async def call() -> None:
        async with OnCall(telephone("Fine.", idle_prompt="Are you there?", idle_s=10.0), AgentMode()) as leg:
            await asyncio.sleep(9.9)
            assert leg.lines == []
            await asyncio.sleep(60)
            assert [line.text for line in leg.lines] == ["Are you there?"]
            await leg.say("Yes.")
            await asyncio.sleep(60)
            assert [line.text for line in leg.lines] == ["Are you there?", "Fine.", "Are you there?"]

    virtual_time.run(call())


def test_without_a_voice_the_call_is_transcribed_and_tried_again_when_there_is_room() -> None:
    async def call() -> None:
        made = telephone("Yes.")
        full = AtCapacity("The machine carries no further voice.")
        made.mouth.missing = full
        async with OnCall(made, AgentMode()) as leg:
            await leg.say("Are you open?")
            await asyncio.sleep(5)
            assert leg.troubles[-1] is full
            assert leg.lines == []
            leg.mouth.missing = None
            await leg.say("Hello?")
            await leg.until(lambda: leg.lines and leg.last.outcome == "spoken")
            assert leg.troubles[-1] is None
            assert said_by(leg, "user") == ["Are you open? Hello?"]

    virtual_time.run(call())


@pytest.mark.parametrize("broken", [SpeechError("The model stalled."), ModelMissing("No.", what="m", mend="pull")])
def test_a_model_that_fails_is_told_and_asked_again_at_the_next_turn(broken: SpeechError) -> None:
    async def call() -> None:
        async with OnCall(telephone(broken, "Yes."), AgentMode()) as leg:
            await leg.say("Are you open?")
            await leg.until(lambda: leg.troubles[-1] is broken)
            await leg.until(lambda: leg.last.outcome == "discarded")
            assert leg.activities[-1] == "listening"
            await leg.say("Hello?")
            await leg.until(lambda: leg.last.outcome == "spoken")
            assert leg.troubles[-1] is None

    virtual_time.run(call())


def test_a_clause_that_fails_costs_that_clause() -> None:
    async def call() -> None:
        made = telephone("Yes. Until noon. Come soon.")
        made.mouth.fails_on["Until noon."] = SpeechError("The voice's process ended.")
        async with OnCall(made, AgentMode()) as leg:
            await leg.say("Are you open?")
            await leg.until(lambda: leg.lines and leg.last.outcome)
            await leg.say("Thanks.")
            await leg.until(lambda: len(leg.mind.asked) == 2)
            assert said_by(leg, "assistant") == ["Yes. Come soon."]

    virtual_time.run(call())


def test_what_cannot_be_said_is_left_out() -> None:
    async def call() -> None:
        async with OnCall(telephone("Yes! 😀 \n\n ---\n Until noon."), AgentMode()) as leg:
            await leg.say("Are you open?")
            await leg.until(lambda: leg.lines and leg.last.outcome)
            assert leg.last.outcome == "spoken"
            assert all(any(map(str.isalnum, text)) for text, _ in leg.mouth.said)

    virtual_time.run(call())


def test_code_that_spans_clauses_is_not_said() -> None:
    async def call() -> None:
        reply = "Run this. ```\nimport os. Then go on.\nprint(os.name). Done.\n``` That is all."
        async with OnCall(telephone(reply), AgentMode()) as leg:
            await leg.say("How do I see it?")
            await leg.until(lambda: leg.lines and leg.last.outcome)
            said = " ".join(text for text, _ in leg.mouth.said)
            assert "Run this." in said
            assert "That is all." in said
            assert "import" not in said
            assert "print" not in said

    virtual_time.run(call())


def test_everything_missing_is_said_and_the_call_goes_on() -> None:
    async def call() -> None:
        made = telephone(greeting="Hello.")
        made.ears.missing = ModelMissing("No Whisper model.", what="Whisper", mend="voip-tui models pull")
        made.mind.missing = ModelMissing("No Ollama.", what="Ollama", mend="ollama serve")
        made.mouth.missing = ModelMissing("No Pocket TTS.", what="Pocket TTS", mend="pip install")
        async with OnCall(made, AgentMode()) as leg:
            await leg.say("Are you open?")
            await asyncio.sleep(20)
            assert leg.troubles[-1] is made.ears.missing
            await leg.hang_up()
            await asyncio.sleep(1)

    virtual_time.run(call())


@pytest.mark.parametrize("wait_s", [0.0, 0.7, 1.3, 1.6, 2.0, 3.0])
def test_switched_off_at_any_moment_it_releases_the_voice_and_stops_everything(wait_s: float) -> None:
    async def call() -> None:
        made = telephone(LONG, greeting="Hello, who is it?")
        made.mouth.opens_s = 0.5
        async with OnCall(made, AgentMode()) as leg:
            await asyncio.sleep(wait_s)
            await leg.say("Are you open?")
            await asyncio.sleep(wait_s)
        assert made.mouth.released == made.mouth.opened == 1
        assert made.mouth.speaking == 0
        assert made.mind.closed == len(made.mind.asked)
        assert all(playout.done or playout.stopped for playout in made.playouts)
        assert all(line.outcome for line in made.lines)

    virtual_time.run(call())


def test_switched_off_while_the_voice_is_opened_it_does_not_wait_for_it() -> None:
    async def call() -> None:
        made = telephone(LONG)
        made.mouth.opens_s = 30.0
        async with OnCall(made, AgentMode()):
            await asyncio.sleep(1)
        assert asyncio.get_running_loop().time() < 2
        assert made.mouth.opened == 0

    virtual_time.run(call())


@pytest.mark.parametrize("after_s", [0.1, 0.4, 0.7, 2.5])
def test_the_caller_may_hang_up_at_any_moment(after_s: float) -> None:
    async def call() -> None:
        calling = OnCall(telephone(LONG), AgentMode())
        async with calling as leg:
            await leg.say("Are you open?")
            await asyncio.sleep(after_s)
            await leg.hang_up()
            async with asyncio.timeout(3):
                await asyncio.wait({calling.running})
            assert leg.mouth.released == 1

    virtual_time.run(call())


def test_coming_back_it_knows_what_was_said_and_does_not_greet_again() -> None:
    async def call() -> None:
        made = telephone("Yes.", greeting="The bakery.")
        async with OnCall(made, AgentMode()) as leg:
            await leg.until(lambda: leg.lines and leg.last.outcome)
        async with OnCall(made, TranscribeMode()) as leg:
            await leg.say("It is about the piano.")
            await asyncio.sleep(1)
        async with OnCall(made, AgentMode()) as leg:
            await leg.say("Can you help me?")
            await leg.until(lambda: leg.last.outcome == "spoken" and leg.mind.asked)
            assert said_by(leg, "assistant") == ["The bakery."]
            assert said_by(leg, "user") == ["It is about the piano. Can you help me?"]
            assert [line.text for line in leg.lines] == ["The bakery.", "Yes."]

    virtual_time.run(call())


def test_settings_changed_during_the_call_hold_from_then_on() -> None:
    async def call() -> None:
        async with OnCall(telephone(LONG, "Fine."), AgentMode()) as leg:
            leg.agent = AgentSettings(interruptible=False, prompt="Be brief.")
            await leg.say("When are you open?")
            await leg.until(lambda: leg.playouts and leg.playouts[0].heard > SECOND)
            await leg.say("Stop it!")
            await leg.until(lambda: len(leg.mind.asked) == 2)
            assert leg.lines[0].outcome == "spoken"
            assert leg.lines[0].pauses == []
            assert leg.mind.asked[0][0].content == "Be brief."

    virtual_time.run(call())


def test_what_was_made_beforehand_is_what_is_said() -> None:
    async def call() -> None:
        made = telephone(greeting="Hello! 😀 The bakery, how can I help?", idle_prompt="Are you there?", idle_s=5.0)
        await AgentMode.warm(made.services, made.agent)
        beforehand = set(made.mouth.said)
        made.mouth.said.clear()
        async with OnCall(made, AgentMode()) as leg:
            await asyncio.sleep(30)
            assert set(leg.mouth.said) == beforehand
            assert len(beforehand) == 3

    virtual_time.run(call())


def test_a_model_that_answers_nothing_is_said_to_and_asked_again_at_the_next_turn() -> None:
    async def call() -> None:
        made = telephone("", "Yes.")
        async with OnCall(made, AgentMode()) as leg:
            await leg.say("Are you open?")
            await asyncio.sleep(5)
            assert "nothing" in str(leg.troubles[-1])
            await leg.say("Hello?")
            await asyncio.sleep(5)
            assert leg.troubles[-1] is None
            assert leg.last.text == "Yes."

    virtual_time.run(call())
