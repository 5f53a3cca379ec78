"""What is speech and what Whisper made up. The figures of each row are such as the real models give."""

from __future__ import annotations

import numpy as np
import pytest

from voip_engine.speech.gates import Decoded, is_silent, spoken_text

CLEAR = {"no_speech": 0.05, "logprob": -0.2}
FAINT = {"no_speech": 0.6, "logprob": -0.6}


@pytest.mark.parametrize(
    "said",
    [
        "Hello, I ordered a piano stool, and a piano arrived.",
        "Thank you.",
        "Thank you very much.",
        "Vielen Dank.",
        "Yes.",
        "No, no, no, no.",
        "You.",
        "427",
        "Music is what I would like to hear.",
        "Danke, ich rufe später noch einmal an.",
        "もしもし、聞こえますか。",
        "Call (555) 123 4567, please.",
    ],
)
def test_what_was_said_clearly_is_kept(said):
    assert spoken_text(Decoded(said, **CLEAR), 4.0) == said


@pytest.mark.parametrize("said", ["Please call me back before noon.", "427", "Tomorrow."])
def test_what_was_said_faintly_is_kept_too(said):
    assert spoken_text(Decoded(said, **FAINT), 2.0) == said


@pytest.mark.parametrize(
    ("no_speech", "logprob"),
    [(0.93, -0.1), (0.99, -0.67), (0.3, -1.2), (0.86, -1.03), (1.0, -20.0)],
)
def test_figures_of_noise_drop_any_text(no_speech, logprob):
    assert spoken_text(Decoded("I'm going to go to the left.", no_speech, logprob), 3.0) == ""


@pytest.mark.parametrize(
    "invented",
    [
        "you",
        "Thank you.",
        "Thanks!",
        "Thanks for watching!",
        "Thank you for watching, and see you next time.",
        "Please subscribe to my channel.",
        "Subtitles by the Amara.org community",
        "Untertitel im Auftrag des ZDF für funk, 2017",
        "Vielen Dank für's Zuschauen.",
        "Sous-titres réalisés par la communauté d'Amara.org",
        "¡Gracias por ver el vídeo!",
        "Субтитры сделал DimaTorzok",
        "Продолжение следует...",
        "ご視聴ありがとうございました",
        "字幕志愿者 李宗盛",
    ],
)
def test_known_inventions_are_dropped_when_the_audio_is_not_clear(invented):
    assert spoken_text(Decoded(invented, **FAINT), 3.0) == ""


def test_credits_need_clearer_audio_than_thanks():
    evidence = {"no_speech": 0.25, "logprob": -0.3}
    assert spoken_text(Decoded("Thank you.", **evidence), 2.0) == "Thank you."
    assert spoken_text(Decoded("Thanks for watching.", **evidence), 2.0) == ""


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("[Music]", ""),
        ("(applause)", ""),
        ("♪♪", ""),
        ("♪ la la la ♪", ""),
        ("*coughs*", ""),
        ("【音楽】", ""),
        ("[BLANK_AUDIO", ""),
        (". . . .", ""),
        ("", ""),
        ("[laughs] Yes, of course. (sighs)", "Yes, of course."),
        ("I will (coughs) be there at nine.", "I will be there at nine."),
    ],
)
def test_stage_directions_are_left_out(written, spoken):
    assert spoken_text(Decoded(written, **CLEAR), 3.0) == spoken


@pytest.mark.parametrize(
    ("written", "length_s", "spoken"),
    [
        ("Hello? Hello? Hello? Hello? Hello? Hello? Hello? Hello", 1.1, "Hello?"),
        ("Thank you. Thank you. Thank you. Thank you. Thank you. Thank you. Thank", 1.2, "Thank you."),
        ("Tomorrow tomorrow tomorrow tomorrow tomorrow tomorrow tomorrow tomorr", 1.2, "Tomorrow"),
        ("I will be there. " + "I know, I know what. " * 12 + "I know,", 8.0, "I will be there. I know, I know what."),
        ("Hi, this is Ben. Are you open on Saturday? " * 6 + "Hi, this is", 8.4, "Hi, this is Ben. Are you open on Saturday?"),
        ("My number is five five five, two oh one nine, and I am at home until seven. " * 4 + "My num", 12.0,
         "My number is five five five, two oh one nine, and I am at home until seven."),
        ("Five five five, two oh one. " * 9 + "Five five five,", 8.0, "Five five five, two oh one."),
        ("No, no, no, I said nine. " + "Nine. " * 30, 6.0, "No, no, no, I said nine."),
        ("1.0.1" + ".1" * 80, 9.0, "1.0.1"),
        ("ah" * 60, 5.0, "ah"),
        ("はい、お願いします。" * 12, 5.0, "はい、お願いします。"),
    ],
)  # fmt: skip
def test_loops_on_clear_speech_are_said_once(written, length_s, spoken):
    assert spoken_text(Decoded(written, **CLEAR, cut=True), length_s) == spoken


NUMBER = "Five five five, two oh one nine. "


@pytest.mark.parametrize("said", ["Perfect. I will be there at nine. ", NUMBER, "はい、お願いします。"])
@pytest.mark.parametrize("times", [2, 3, 6])
@pytest.mark.parametrize(("no_speech", "logprob"), [(0.02, -0.08), (0.13, -0.19), (0.05, -0.4)])
def test_what_a_caller_repeats_clearly_is_kept_as_it_is(said, times, no_speech, logprob):
    text = (said * times).strip()
    assert spoken_text(Decoded(text, no_speech, logprob), 4.0 * times) == text


@pytest.mark.parametrize(("no_speech", "logprob"), [(0.6, -0.1), (0.1, -0.8), (0.4, -0.6)])
def test_what_is_repeated_without_evidence_is_dropped(no_speech, logprob):
    assert spoken_text(Decoded(NUMBER * 6, no_speech, logprob), 24.0) == ""


def test_a_runaway_loop_with_slips_in_it_is_not_lost():
    loop = "I ordered a piano stool. I ordered a piano. I ordered a stool. I ordered a piano stool and a stool. " * 2
    heard = spoken_text(Decoded(loop + "A piano. " + loop, **CLEAR, cut=True), 6.0)
    assert heard.startswith("I ordered a piano stool. I ordered a piano. I ordered a stool.")


def test_nobody_talks_faster_than_a_loop():
    assert spoken_text(Decoded("Yes, yes, yes, yes, yes, yes.", **CLEAR), 0.4) == "Yes,"


@pytest.mark.parametrize("written", ["Beep " * 30, "okay, " * 20, "I am a, a, a, a, a, a, a, a,"])
def test_loops_on_noise_are_dropped(written):
    assert spoken_text(Decoded(written, no_speech=0.55, logprob=-0.1, cut=True), 9.0) == ""


def test_one_word_over_and_over_is_a_tone_unless_it_is_clear():
    assert spoken_text(Decoded("BEEP BEEP BEEP BEEP", no_speech=0.5, logprob=-0.5), 8.0) == ""
    assert spoken_text(Decoded("No, no, no, no.", no_speech=0.26, logprob=-0.3), 2.5) == "No, no, no, no."


def test_what_was_cut_without_a_loop_is_kept():
    said = "When the rain stopped, the children ran out into the garden and began to build a small boat out of old"
    assert spoken_text(Decoded(said, **CLEAR, cut=True), 6.0) == said


@pytest.mark.parametrize(
    ("level_dbfs", "silent"),
    [(-200.0, True), (-75.0, True), (-62.0, True), (-55.0, False), (-20.0, False)],
)
def test_silence_is_what_cannot_be_heard(level_dbfs, silent):
    noise = np.random.default_rng(1).standard_normal(16_000).astype(np.float32)
    assert is_silent(noise * np.float32(10 ** (level_dbfs / 20))) == silent


def test_one_word_in_much_silence_is_no_silence():
    audio = np.zeros(160_000, np.float32)
    audio[80_000:83_200] = 0.05
    assert not is_silent(audio)
    assert is_silent(np.zeros(0, np.float32))
    assert is_silent(np.zeros(100, np.float32))
