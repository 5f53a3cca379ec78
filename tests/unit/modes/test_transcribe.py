from __future__ import annotations

import asyncio

from support import virtual_time
from support.telephone import OnCall, Telephone

from voip_engine.modes.conversation import conversation_of
from voip_engine.modes.transcribe import TranscribeMode
from voip_engine.speech.base import Dropped, ModelMissing


def remembered(leg: Telephone) -> list[str]:
    return [message.content for message in conversation_of(leg.memory).messages("", 20)]


def test_utterances_are_transcribed_and_remembered() -> None:
    async def call() -> None:
        async with OnCall(Telephone(), TranscribeMode()) as leg:
            await leg.say("Hello.")
            await leg.say("Is this the bakery?")
            await asyncio.sleep(1)
            assert remembered(leg) == ["Hello. Is this the bakery?"]
            assert leg.activities == ["listening", "hearing", "transcribing", "hearing", "transcribing", "listening"]

    virtual_time.run(call())


def test_texts_are_told_in_the_order_in_which_they_were_said() -> None:
    async def call() -> None:
        async with OnCall(Telephone(), TranscribeMode()) as leg:
            leg.ears.takes_s = 5.0
            await leg.say("One.")
            await asyncio.sleep(0.1)
            leg.ears.takes_s = 0.1
            await leg.say("Two.")
            await asyncio.sleep(1)
            assert remembered(leg) == []
            await asyncio.sleep(5)
            assert remembered(leg) == ["One. Two."]

    virtual_time.run(call())


def test_a_lost_utterance_costs_that_utterance() -> None:
    async def call() -> None:
        async with OnCall(Telephone(), TranscribeMode()) as leg:
            await leg.say(Dropped("The machine is behind."))
            await leg.say("Hello?")
            await asyncio.sleep(1)
            assert remembered(leg) == ["Hello?"]
            assert leg.activities[-1] == "listening"

    virtual_time.run(call())


def test_a_missing_model_is_said_and_the_mode_waits_for_the_end_of_the_call() -> None:
    async def call() -> None:
        telephone = Telephone()
        telephone.ears.missing = ModelMissing("No Whisper model.", what="Whisper model", mend="voip-tui models pull")
        calling = OnCall(telephone, TranscribeMode())
        async with calling as leg:
            await leg.say("Hello?")
            await asyncio.sleep(5)
            assert leg.troubles[-1] is telephone.ears.missing
            assert not calling.running.done()
            await leg.hang_up()
            await asyncio.wait({calling.running}, timeout=1)
            assert calling.running.done()

    virtual_time.run(call())


def test_it_ends_with_the_call() -> None:
    async def call() -> None:
        calling = OnCall(Telephone(), TranscribeMode())
        async with calling as leg:
            await leg.say("Hello?")
            await leg.hang_up()
            await asyncio.wait({calling.running}, timeout=2)
            assert calling.running.done()
            assert remembered(leg) == ["Hello?"]

    virtual_time.run(call())
