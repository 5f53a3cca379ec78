"""Secrets show themselves only when asked to."""

from __future__ import annotations

import copy
import pickle

import msgspec
import pytest

from voip_engine.settings import AccountSettings, Secret

PASSWORD = "correct horse"


def test_a_secret_shows_itself_only_when_revealed() -> None:
    account = AccountSettings(uri="sip:alice@pbx.example", password=Secret(PASSWORD))
    assert account.password is not None
    assert account.password.reveal() == PASSWORD
    shown = [str(account.password), repr(account.password), f"{account.password}", repr(account), str([account])]
    assert not any(PASSWORD in text for text in shown)
    assert "***" in repr(account)


def test_a_secret_is_neither_encoded_nor_copied() -> None:
    secret = Secret(PASSWORD)
    for leak in (msgspec.json.encode, msgspec.msgpack.encode, pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError) as caught:
            leak(secret)
        assert PASSWORD not in str(caught.value)


def test_secrets_compare_by_what_they_hold_and_an_empty_one_is_false() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a")}) == 1
    assert Secret("a")
    assert not Secret("")
