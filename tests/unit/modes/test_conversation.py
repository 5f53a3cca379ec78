from __future__ import annotations

import pytest

from voip_engine.modes.conversation import SENTENCES_KEPT, Conversation, conversation_of


def contents(conversation: Conversation, keep_turns: int = 20) -> list[tuple[str, str]]:
    return [(message.role, message.content) for message in conversation.messages("Be kind.", keep_turns)]


def test_the_prompt_comes_first_and_roles_alternate() -> None:
    conversation = Conversation()
    conversation.agent_speaks().heard("Hello, the bakery.")
    conversation.caller_said("Are you open?")
    conversation.caller_said("On Saturday, I mean.")
    conversation.agent_speaks().heard("Yes, until noon. ")
    assert contents(conversation) == [
        ("system", "Be kind."),
        ("assistant", "Hello, the bakery."),
        ("user", "Are you open? On Saturday, I mean."),
        ("assistant", "Yes, until noon."),
    ]


def test_the_agent_has_said_what_was_heard_and_no_more() -> None:
    conversation = Conversation()
    conversation.caller_said("Are you open?")
    words = conversation.agent_speaks()
    words.heard("Yes,")
    words.heard("Yes, until")
    conversation.caller_said("Thanks!")
    assert contents(conversation)[1:] == [("user", "Are you open?"), ("assistant", "Yes, until"), ("user", "Thanks!")]
    words.heard("Yes, until noon")  # the exact figure may come late
    assert contents(conversation)[2] == ("assistant", "Yes, until noon")


def test_a_reply_of_which_nothing_was_heard_leaves_nothing() -> None:
    conversation = Conversation()
    conversation.caller_said("I want a table.")
    conversation.agent_speaks()
    conversation.caller_said("For two.")
    assert contents(conversation)[1:] == [("user", "I want a table. For two.")]
    assert not conversation.agent_spoke


def test_the_last_turns_are_shown_from_a_callers_words_on() -> None:
    conversation = Conversation()
    conversation.agent_speaks().heard("Hello.")
    for number in range(5):
        conversation.caller_said(f"Question {number}")
        conversation.agent_speaks().heard(f"Answer {number}")
    conversation.caller_said("Question 5")
    assert contents(conversation, 2) == [
        ("system", "Be kind."),
        ("user", "Question 4"),
        ("assistant", "Answer 4"),
        ("user", "Question 5"),
    ]


def test_hours_of_words_without_an_answer_do_not_pile_up() -> None:
    conversation = Conversation()
    for number in range(10_000):
        conversation.caller_said(f"{number}.")
    words = contents(conversation)[1][1].split()
    assert len(words) == SENTENCES_KEPT
    assert words[-1] == "9999."


def test_an_empty_prompt_is_left_out() -> None:
    conversation = Conversation()
    conversation.caller_said("Hello.")
    assert [message.role for message in conversation.messages(" ", 5)] == ["user"]


def test_modes_of_one_call_share_the_conversation() -> None:
    memory: dict[str, object] = {}
    conversation_of(memory).caller_said("Hello.")
    assert contents(conversation_of(memory))[1:] == [("user", "Hello.")]


def test_a_memory_that_holds_something_else_is_not_overwritten() -> None:
    with pytest.raises(TypeError, match="another mode"):
        conversation_of({"conversation": "mine"})
