"""What all settings share: each field carries its rule in plain words, which errors are made from.

A rule that `msgspec.Meta` cannot express is a function, added by `check`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, get_type_hints

import msgspec
from msgspec import Meta

_ITEM = re.compile(r"at `\$\[([0-9]+)\]`$")
_CHECKS: dict[tuple[type[msgspec.Struct], str], Callable[[Any], None]] = {}


class SettingsError(ValueError):
    """A setting that cannot be used. The text says where it stands, what is wrong and what right looks like."""


def check(settings_type: type[msgspec.Struct], key: str, rule: Callable[[Any], None]) -> None:
    """Let `rule`, which raises ValueError in plain words, look at a field's value, too."""
    _CHECKS[settings_type, key] = rule


def metadata(settings_type: type[msgspec.Struct], key: str) -> Meta:
    """The rule of a field in plain words (`description`) and what right looks like (`examples`)."""
    meta = get_type_hints(settings_type, include_extras=True)[key].__metadata__[0]
    assert isinstance(meta, Meta)
    return meta


def convert_field(settings_type: type[msgspec.Struct], key: str, value: object, *, from_text: bool = False) -> Any:
    """A value as its field wants it. Raises ValueError in plain words, never showing a secret.

    `from_text` also takes numbers and truth values written as text, as the environment holds them.
    """
    hint = get_type_hints(settings_type, include_extras=True)[key]
    try:
        converted = msgspec.convert(value, hint, strict=not from_text)
    except msgspec.ValidationError as error:
        wrong = _item_named_in(error, value)
        raise ValueError(f"must be {metadata(settings_type, key).description}{_shown(key, wrong)}") from None
    if (check := _CHECKS.get((settings_type, key))) and converted is not None:
        try:
            check(converted)
        except ValueError as error:
            raise ValueError(f"must be {metadata(settings_type, key).description}; {error}") from None
    return converted


def check_fields(settings: msgspec.Struct) -> None:
    """Check every field of freshly made settings. Raises SettingsError."""
    for key in settings.__struct_fields__:
        try:
            convert_field(type(settings), key, getattr(settings, key))
        except ValueError as error:
            raise SettingsError(f"{key} {error}.") from None


def _item_named_in(error: msgspec.ValidationError, value: object) -> object:
    """Of a list the item that is wrong, which msgspec names by its place; else the value itself."""
    place = _ITEM.search(str(error))
    return value[int(place[1])] if place and isinstance(value, Sequence) else value


def _shown(key: str, value: object) -> str:
    """What stands there instead, where that is short and can hold no secret."""
    if key in ("accounts", "users", "uri", "password") or not isinstance(value, bool | int | float | str):
        return ""
    return f", not {value[:60]!r}" if isinstance(value, str) else f", not {value}"
