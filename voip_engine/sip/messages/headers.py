"""The header fields of one message: ordered, repeatable, names without regard to case (RFC 3261 §7.3)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar, cast

from voip_engine.sip.messages.grammar import MalformedHeader, split_list

T = TypeVar("T")

# RFC 3261 §7.3.3 and the registrations of RFC 3265, 3515, 3841, 3892, 4028, 4474, 4488 and 5626.
COMPACT_FORMS = {
    "a": "Accept-Contact",
    "b": "Referred-By",
    "c": "Content-Type",
    "d": "Request-Disposition",
    "e": "Content-Encoding",
    "f": "From",
    "i": "Call-ID",
    "j": "Reject-Contact",
    "k": "Supported",
    "l": "Content-Length",
    "m": "Contact",
    "n": "Identity-Info",
    "o": "Event",
    "r": "Refer-To",
    "s": "Subject",
    "t": "To",
    "u": "Allow-Events",
    "v": "Via",
    "x": "Session-Expires",
    "y": "Identity",
}

_NAME = re.compile(r"[A-Za-z0-9\-.!%*_+`'~]+")
_LINE_BREAK = re.compile(r"[\r\n]")


class Headers:
    """Header fields in their order. Known names take their usual form, compact ones too; values are unfolded text."""

    __slots__ = ("_items", "_parsed")

    def __init__(self, items: Iterable[tuple[str, str]] = ()) -> None:
        self._items: list[tuple[str, str, str]] = []  # lower-case name, name, value
        self._parsed: dict[str, object] = {}
        for name, value in items:
            self.add(name, value)

    def read_lines(self, lines: Iterable[str]) -> None:
        """Append unfolded `name: value` lines. Raises MalformedHeader after reading all, if one was malformed."""
        append = self._items.append
        self._parsed.clear()
        failure = None
        for line in lines:
            name, colon, value = line.partition(":")
            known = _KNOWN.get(name)
            try:
                if not colon:
                    raise MalformedHeader("a header line has no colon")
                append((*(known or _names(name.rstrip(" \t"))), value.strip(" \t")))
            except MalformedHeader as error:
                failure = failure or error
        if failure:
            raise failure

    def get(self, name: str, default: str | None = None) -> str | None:
        """Value of the first field of this name."""
        key = _key(name)
        for each in self._items:
            if each[0] == key:
                return each[2]
        return default

    def get_all(self, name: str) -> list[str]:
        """Values of all fields of this name, one for each header line."""
        key = _key(name)
        return [value for each, _, value in self._items if each == key]

    def get_list(self, name: str) -> list[str]:
        """Members of all fields of this name, split at the commas outside quotes and brackets (RFC 3261 §7.3.1)."""
        members: list[str] = []
        for value in self.get_all(name):
            members += split_list(value)
        return members

    def parsed(self, name: str, parse: Callable[[Headers], T]) -> T:
        """Result of `parse(self)`, kept under `name` until a field of that name changes."""
        key = _key(name)
        if key not in self._parsed:
            self._parsed[key] = parse(self)
        return cast(T, self._parsed[key])

    def add(self, name: str, value: str) -> None:
        """Append a field. Raises ValueError on a name that is no token or a value with line breaks."""
        self._items.append(self._entry(name, value))

    def insert_first(self, name: str, value: str) -> None:
        """Put a field before all others of its name (and of any name): where a Via goes."""
        self._items.insert(0, self._entry(name, value))

    def set(self, name: str, value: str) -> None:
        """Put one field in the place of all of its name; append it if there was none."""
        entry = self._entry(name, value)
        for index, each in enumerate(self._items):
            if each[0] == entry[0]:
                later = [other for other in self._items[index + 1 :] if other[0] != entry[0]]
                self._items[index:] = [entry, *later]
                return
        self._items.append(entry)

    def remove(self, name: str) -> None:
        """Take out all fields of this name."""
        key = _key(name)
        self._items = [each for each in self._items if each[0] != key]
        self._parsed.pop(key, None)

    def remove_first(self, name: str) -> None:
        """Take out the first member of this name: a whole line, or what stands before its first comma."""
        key = _key(name)
        for index, (each, written, value) in enumerate(self._items):
            if each == key:
                rest = split_list(value)[1:]
                self._items[index : index + 1] = [(key, written, ", ".join(rest))] if rest else []
                self._parsed.pop(key, None)
                return

    def items(self) -> Iterator[tuple[str, str]]:
        """All fields as (name, value), in order."""
        return ((name, value) for _, name, value in self._items)

    def copy(self) -> Headers:
        """A copy that shares nothing that can change."""
        other = Headers()
        other._items = self._items.copy()
        other._parsed = self._parsed.copy()
        return other

    def repeated(self, names: frozenset[str]) -> list[str]:
        """Those of the names, as they are written out, that stand on more than one line."""
        found = [name for _, name, _ in self._items if name in names]
        if len(set(found)) == len(found):
            return []
        return [name for name, count in Counter(found).items() if count > 1]

    def __contains__(self, name: str) -> bool:
        return self.get(name) is not None

    def __len__(self) -> int:
        return len(self._items)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Headers):
            return NotImplemented
        return [(key, value) for key, _, value in self._items] == [(key, value) for key, _, value in other._items]

    def __repr__(self) -> str:
        # Names only: values hold credentials and what people call themselves.
        return f"Headers({', '.join(name for _, name, _ in self._items)})"

    def _entry(self, name: str, value: str) -> tuple[str, str, str]:
        if _LINE_BREAK.search(value):
            raise ValueError(f"a line break in the value of {name} would forge a header")
        key, written = _KNOWN.get(name) or _names(name)
        self._parsed.pop(key, None)
        return key, written, value


def _names(name: str) -> tuple[str, str]:
    """Lower-case and usual form of a header name; an unknown one stays as it is written."""
    if not _NAME.fullmatch(name):
        raise MalformedHeader("a header name is malformed")
    lowered = name.lower()
    return _BY_LOWER.get(lowered, (lowered, name))


def _key(name: str) -> str:
    known = _KNOWN.get(name) or _BY_LOWER.get(name.lower())
    return known[0] if known else name.lower()


_COMMON = (
    *COMPACT_FORMS.values(),
    *("Accept", "Accept-Encoding", "Accept-Language", "Alert-Info", "Allow", "Authorization", "Call-Info", "CSeq"),
    *("Content-Disposition", "Content-Language", "Date", "Error-Info", "Expires", "Max-Forwards", "Min-Expires"),
    *("P-Asserted-Identity", "P-Preferred-Identity", "Path", "Privacy", "Proxy-Authenticate", "Proxy-Authorization"),
    *("Min-SE", "Proxy-Require", "RAck", "Reason", "Record-Route", "Replaces", "Require", "Retry-After", "Route"),
    *("RSeq", "Server", "Service-Route", "Timestamp", "Unsupported", "User-Agent", "Warning", "WWW-Authenticate"),
)
_KNOWN = {name: (name.lower(), name) for name in _COMMON}
_KNOWN |= {short: (name.lower(), name) for short, name in COMPACT_FORMS.items()}
_BY_LOWER = {written.lower(): names for written, names in _KNOWN.items()}
