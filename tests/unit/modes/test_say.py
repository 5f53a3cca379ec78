from __future__ import annotations

import asyncio

import pytest
from support import virtual_time
from support.telephone import LETTER_S, SECOND, OnCall, Telephone

from voip_engine.modes.say import SayMode
from voip_engine.speech.base import ModelMissing, SpeechError

TEXT = "Your piano stool has arrived. Please bring a van."


def test_it_says_the_text_to_the_last_sample_and_hangs_up() -> None:
    async def call() -> None:
        mode = SayMode(TEXT)
        async with OnCall(Telephone(outbound=True), mode) as leg:
            async with asyncio.timeout(60):
                await leg.until_hung_up()
            assert mode.complete
            assert mode.error is None
            assert mode.over.is_set()
            assert leg.last.outcome == "spoken"
            assert len(leg.sent) == pytest.approx((len(TEXT) - 1) * LETTER_S * SECOND, rel=0.02)
            assert leg.mouth.released == 1

    virtual_time.run(call())


def test_what_the_called_says_meanwhile_changes_nothing() -> None:
    async def call() -> None:
        mode = SayMode(TEXT)
        async with OnCall(Telephone(outbound=True), mode) as leg:
            await leg.say("Hello? Who is this?")
            await leg.until_hung_up()
            assert mode.complete

    virtual_time.run(call())


def test_without_a_voice_it_hangs_up_and_keeps_the_reason() -> None:
    async def call() -> None:
        telephone = Telephone(outbound=True)
        telephone.mouth.missing = ModelMissing("Pocket TTS is missing.", what="Pocket TTS", mend="pip install")
        mode = SayMode(TEXT, voice="alba")
        async with OnCall(telephone, mode) as leg:
            await leg.until_hung_up()
            assert mode.error is telephone.mouth.missing
            assert not mode.complete
            assert leg.troubles[-1] is telephone.mouth.missing

    virtual_time.run(call())


def test_a_part_that_could_not_be_said_is_no_success() -> None:
    async def call() -> None:
        telephone = Telephone(outbound=True)
        telephone.mouth.fails_on["Please bring a van."] = SpeechError("The voice's process ended.")
        mode = SayMode(TEXT)
        async with OnCall(telephone, mode) as leg:
            await leg.until_hung_up()
            assert mode.error is not None
            assert not mode.complete

    virtual_time.run(call())


def test_who_hangs_up_early_has_not_heard_it_all() -> None:
    async def call() -> None:
        mode = SayMode(TEXT)
        async with OnCall(Telephone(outbound=True), mode) as leg:
            await leg.until(lambda: leg.playouts and leg.playouts[0].heard > SECOND)
        assert mode.over.is_set()
        assert not mode.complete
        assert leg.mouth.released == 1

    virtual_time.run(call())
