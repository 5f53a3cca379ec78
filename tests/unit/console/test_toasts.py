from __future__ import annotations

from voip_tui.toasts import MOST_AT_ONCE, Toast, Toasts


def test_the_same_news_of_several_calls_is_one_toast() -> None:
    toasts = Toasts()
    assert toasts.add(Toast("No audio.", ("Ada",)), 0.0) is True
    assert toasts.add(Toast("No audio.", ("Grace",)), 0.5) is False
    assert [toast.message for toast in toasts.standing] == ["Ada, Grace: No audio."]
    for name in ("Konrad", "Alan", "Hedy"):
        toasts.add(Toast("No audio.", (name,)), 1.0)
    assert [toast.message for toast in toasts.standing] == ["Ada, Grace, Konrad and 2 more: No audio."]


def test_what_was_just_said_is_not_said_again() -> None:
    toasts = Toasts()
    assert toasts.add(Toast("Busy."), 0.0) is True
    assert toasts.add(Toast("Busy."), 1.0) is None


def test_what_stands_there_already_stands_longer_and_not_twice() -> None:
    toasts = Toasts()
    toasts.add(Toast("Busy."), 0.0)
    assert toasts.add(Toast("Busy."), 3.0) is False
    assert [(toast.text, toast.raised_at) for toast in toasts.standing] == [("Busy.", 3.0)]
    assert toasts.add(Toast("Busy."), 9.0) is True


def test_a_command_that_failed_and_the_event_that_tells_the_same_are_one_toast() -> None:
    toasts = Toasts()
    failed, told = Toast("No sound.", title="Cannot listen"), Toast("No sound.", ("Ada",))
    toasts.add(failed, 0.0)
    assert toasts.add(told, 0.1) is False
    assert [(toast.title, toast.message) for toast in toasts.standing] == [("Cannot listen", "Ada: No sound.")]
    assert toasts.add(failed, 0.2) is None
    toasts = Toasts()
    toasts.add(told, 0.0)
    assert toasts.add(failed, 0.1) is None
    assert toasts.add(Toast("No sound.", title="Cannot dial"), 3.0) is True


def test_a_command_that_fails_again_is_still_one_toast() -> None:
    failed, told = Toast("No sound.", title="Cannot listen"), Toast("No sound.", ("Ada",))
    for again in ((failed, told), (told, failed)):
        toasts = Toasts()
        toasts.add(failed, 0.0)
        toasts.add(told, 0.1)
        for toast in again:
            toasts.add(toast, 3.0)
        assert [(toast.title, toast.message) for toast in toasts.standing] == [("Cannot listen", "Ada: No sound.")]


def test_toasts_that_went_are_not_counted() -> None:
    toasts = Toasts()
    toasts.add(Toast("No audio.", ("Ada",)), 0.0)
    assert toasts.add(Toast("No audio.", ("Grace",)), 10.0) is True
    assert [toast.message for toast in toasts.standing] == ["Grace: No audio."]


def test_old_toasts_make_room() -> None:
    toasts = Toasts()
    fits = [toasts.add(Toast(f"News {number}"), 0.0) for number in range(MOST_AT_ONCE + 1)]
    assert fits == [True] * MOST_AT_ONCE + [False]
    assert [toast.text for toast in toasts.standing] == [f"News {number}" for number in range(1, MOST_AT_ONCE + 1)]
