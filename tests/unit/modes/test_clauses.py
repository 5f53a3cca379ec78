"""Where a reply that is being written is cut for speaking."""

from __future__ import annotations

import pytest

from voip_engine.modes.clauses import Clause, ClauseCutter


def cut(text, **options):
    cutter = ClauseCutter(**options)
    return [clause.text for piece in text for clause in cutter.feed(piece)] + [
        clause.text for clause in cutter.finish()
    ]


@pytest.mark.parametrize(
    ("text", "clauses"),
    [
        ("Yes, I can do that for you.", ["Yes,", "I can do that for you."]),
        ("Good morning. How are you?", ["Good morning.", "How are you?"]),
        ("Wait — let me see.", ["Wait —", "let me see."]),
        ("Wait—let me see.", ["Wait—", "let me see."]),
        ("Certainly: at noon.", ["Certainly:", "at noon."]),
        ("Sure!\nThe first\n\nThe second", ["Sure!", "The first", "The second"]),
        ('"Stop!" she said. Then she left.', ['"Stop!"', "she said.", "Then she left."]),
        ("**Yes.** I do.", ["**Yes.**", "I do."]),
        ("Really?! I had no idea.", ["Really?!", "I had no idea."]),
        ("Quoi ? Je ne sais pas.", ["Quoi ?", "Je ne sais pas."]),
        ("好的，我明白了。谢谢！", ["好的，", "我明白了。", "谢谢！"]),
        ("「はい。」そうです。", ["「はい。」", "そうです。"]),
        ("نعم، أستطيع. هل تريد؟", ["نعم،", "أستطيع.", "هل تريد؟"]),
        ("हाँ, मैं कर सकता हूँ। धन्यवाद।", ["हाँ,", "मैं कर सकता हूँ।", "धन्यवाद।"]),
        ("No. I can't.", ["No.", "I can't."]),
        ("hello. how are you", ["hello.", "how are you"]),
        ("In 2024, we moved.", ["In 2024,", "we moved."]),
    ],
)
def test_clauses_end_at_the_marks_of_any_script(text, clauses):
    assert cut(text) == cut([text]) == clauses


@pytest.mark.parametrize(
    "text",
    [
        "1, 2, 3",
        "It costs 3.14 euros",
        "Um 10:30 Uhr",
        "Das kostet 3,5 Euro",
        "The numbers 1, 2 and 3",
        "Ask Dr. Smith",
        "Frag Hr. Meier bzw. Frau Meier",
        "Fruit, e.g. apples"[7:],
        "Obst z.B. Äpfel",
        "Ask J. R. R. Tolkien",
        "The U.S. President",
        "Bus No. 5 leaves",
        "Am 3. Mai",
        "1. Apples",
        "… and then",
        "Look at example.com now",
        "From 5–6 people",
        "Sra. López llega",
        "ул. Ленина",
        "approx. five",
    ],
)
def test_what_only_looks_like_an_end(text):
    assert cut(text) == [text]


def test_the_first_clause_goes_out_as_soon_as_it_has_ended():
    cutter = ClauseCutter()
    assert cutter.feed("Yes") == []
    assert cutter.feed(",") == []
    assert cutter.feed(" I") == [Clause("Yes,", 0, 4)]
    assert cutter.feed(" do.\n") == [Clause("I do.", 5, 10)]
    assert cutter.finish() == []


def test_later_clauses_are_longer():
    sentence = "Well, on the one hand there is tea, and on the other hand there is coffee, which many like, too."
    assert cut(sentence) == [
        "Well,",
        "on the one hand there is tea,",
        "and on the other hand there is coffee, which many like, too.",
    ]


def test_a_clause_without_an_end_is_cut_at_a_space():
    clauses = cut("word " * 100, longest=52)
    assert clauses == ["word word word word word word word word word word"] * 10


def test_text_without_spaces_is_cut_between_characters():
    family = "\N{MAN}\N{ZERO WIDTH JOINER}\N{WOMAN}\N{ZERO WIDTH JOINER}\N{GIRL}"
    assert cut(family * 10, longest=12) == [family * 2] * 5
    assert [len(clause) for clause in cut("谢" * 100, longest=40)] == [40, 40, 20]


def test_positions_are_those_in_the_reply():
    reply = "  Yes,  I do.\n\n- One\n- Two, Dr. Who "
    cutter = ClauseCutter()
    clauses = [*(clause for character in reply for clause in cutter.feed(character)), *cutter.finish()]
    assert [clause.text for clause in clauses] == ["Yes,", "I do.", "- One", "- Two, Dr. Who"]
    assert all(reply[clause.start : clause.end] == clause.text for clause in clauses)


@pytest.mark.parametrize("reply", ["", " ", "\n\n"])
def test_nothing_gives_no_clause(reply):
    assert cut(reply) == []
