"""What a model writes, and what of it is said."""

from __future__ import annotations

import pytest

from voip_engine.modes.spoken import SpokenText, speakable


@pytest.mark.parametrize(
    ("written", "said"),
    [
        # emoji
        ("Hello 😀!", "Hello!"),
        ("Great 👍🏽 news", "Great news"),
        ("My family 👨‍👩‍👧‍👦.", "My family."),
        ("I ❤️ tea", "I tea"),
        ("Berlin 🇩🇪, Paris 🇫🇷", "Berlin, Paris"),
        ("Press 1️⃣ or 2️⃣", "Press 1 or 2"),
        ("🎉🎉🎉", ""),
        ("(😀)", ""),
        ("✅ Done", "Done"),
        # markdown
        ("That is **very** important", "That is very important"),
        ("That is *very* important", "That is very important"),
        ("That is __very__ _important_", "That is very important"),
        ("~~no~~ yes", "no yes"),
        ("**Not closed", "Not closed"),
        ("# Opening hours", "Opening hours"),
        ("- apples\n* pears\n• plums", "apples\npears\nplums"),
        ("1) Apples\n2) Pears", "1. Apples\n2. Pears"),
        ("> She said so", "She said so"),
        ("One\n\n---\n\nTwo", "One\nTwo"),
        ("Use `ls` now", "Use ls now"),
        ("Here:\n```python\nprint(1)\n```\nDone", "Here:\nDone"),
        ("Here:\n```\nnever closed", "Here:"),
        ("| Day | Open |\n|---|:--|\n| Monday | 9 |", "Day, Open\nMonday, 9"),
        ("See [our page](https://example.com/a?b=c).", "See our page."),
        ("![A cat](cat.png) here", "A cat here"),
        ("As shown [1], it works [^2].", "As shown, it works."),
        ("5 * 3 = 15", "5 × 3 = 15"),
        ("the snake_case name", "the snake case name"),
        (r"Not \*bold\*", "Not bold"),
        # stage directions
        ("*laughs* That is funny.", "That is funny."),
        ("*leans back slowly* That is funny.", "That is funny."),
        ("Well, *sighs* I don't know.", "Well, I don't know."),
        ("(pauses) Yes.", "Yes."),
        ("[music]", ""),
        ("Ja *lacht* genau.", "Ja genau."),
        ("はい（笑）。", "はい。"),
        ("We open at nine (ten on Sundays).", "We open at nine (ten on Sundays)."),
        # addresses
        ("Go to https://www.example.com/help?x=1.", "Go to example.com."),
        ("Go to www.example.org, please", "Go to example.org, please"),
        ("Write to anna.b@example.com today", "Write to anna.b at example.com today"),
        ("<https://example.com/a>", "example.com"),
        ("Thanks @anna", "Thanks anna"),
        # markup of machines
        ("<b>Hello</b><br/>you", "Hello you"),
        ("Tom &amp; Anna", "Tom & Anna"),
        ("Fine.<|im_end|>", "Fine."),
        ("zero\u200bwidth\ufeff \u202eand\x07 more", "zerowidth and more"),
        ("3 < 4 and 5 > 2", "3 < 4 and 5 > 2"),
    ],
)
def test_what_is_not_speech_becomes_sayable_or_vanishes(written, said):
    assert speakable(written) == said


@pytest.mark.parametrize(
    "prose",
    [
        "It's 20 °C, and that costs $3.50, €4 or 5 %.",
        "Äpfel kosten 3,50 €, am 3. Mai um 10:30 Uhr.",
        "«Où est-il ? — Là-bas !»",
        "¿Qué tal? ¡Bien!",
        "你好，今天天气很好。",
        "これは「テスト」です。",
        "안녕하세요, 반갑습니다.",
        "مرحبا، كيف حالك؟",
        "می‌خواهم بروم.",
        "नमस्ते, आप कैसे हैं। क्‍या",
        "Привет! Как дела?",
        "שלום, מה שלומך?",
        "สวัสดีครับ",
        "A well-known fact: 1–2 people (or 3); C# and #1.",
    ],
)
def test_prose_in_any_script_stays_as_it_is(prose):
    assert speakable(prose) == prose


def test_code_that_spans_clauses_is_left_out():
    spoken = SpokenText()
    clauses = ["Try this:", "```python", "x = 1", "print(x)", "``` and", "then go on."]
    assert [spoken.clause(clause) for clause in clauses] == ["Try this:", "", "", "", "and", "then go on."]
