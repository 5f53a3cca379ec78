"""Cuts a reply that is still being written into clauses that can be spoken.

The first goes out as soon as it ends, however short, because the caller waits for it. The following may be longer, as the
ones before cover the time: whole sentences sound better than parts of them.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Literal

_FULL = ".!?‽…。．！？؟۔।॥։።፧"
_HALF = ",;:—–、，；：،؛፣፤"
_WITHOUT_SPACE = frozenset("—。．！？、，；：")
_CLOSING = re.escape(")]}\"'”’»›」』）】〉》*_`~")
_MARK = re.compile(rf"\n|(?P<marks>[{_FULL}{_HALF}]{{1,16}})[{_CLOSING}]{{0,8}}")
_LONGEST_MARK = 24
_ELLIPSIS = re.compile(r"\.{2,}|…+")
_LAST_WORD = re.compile(r"[^\s()\[\]\"'“”„«»‘’*_]*$")
_AHEAD = 4

# What ends in a full stop without ending a sentence. Leaving a cut out costs little: the next mark makes it.
_ABBREVIATIONS = frozenset((
    "mr", "mrs", "ms", "dr", "drs", "prof", "st", "sr", "sra", "srta", "jr", "rev", "hon", "gen", "col", "capt",
    "lt", "sgt", "gov", "sen", "rep", "vs", "etc", "approx", "dept", "inc", "ltd", "corp", "co", "mt", "ave",
    "blvd", "hr", "fr", "bzw", "usw", "ca", "evtl", "ggf", "inkl", "exkl", "zzgl", "bspw", "vgl", "str", "tel",
    "dipl", "ing", "geb", "gest", "sog", "mme", "mlle", "mlles", "av", "env", "cf", "ex", "ud", "uds", "cía", "pág",
    "dott", "sig", "sigg", "dhr", "mevr", "bijv", "enz", "resp", "г", "ул", "др", "руб", "стр", "проф", "тел",
))  # fmt: skip
_BEFORE_NUMBERS = frozenset((
    "no", "nr", "nos", "num", "núm", "n", "p", "pp", "vol", "ch", "fig", "art", "abs", "kap", "bd", "jan", "feb",
    "mar", "mär", "apr", "jun", "jul", "aug", "sep", "sept", "oct", "okt", "nov", "dec", "dez",
))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Clause:
    """A part of a reply as it was written: the reply's characters from `start` to before `end`, without space around."""

    text: str
    start: int
    end: int


class ClauseCutter:
    """Takes pieces of a reply and gives its clauses, each as soon as it is certain to have ended.

    A clause ends at a full stop and its like in any script, or at the end of a line. It also ends at a comma and its like
    once it has as many characters as `half_stops` says for the first, the second, … clause (the last number holds for all
    further ones). No clause is longer than `longest` characters: one without any mark is cut at a space.
    """

    def __init__(self, *, half_stops: tuple[int, ...] = (0, 24, 60, 120), longest: int = 200) -> None:
        self._half_stops = half_stops
        self._longest = longest
        self._text = ""
        self._offset = 0
        self._start = 0
        self._scan = 0
        self._count = 0

    def feed(self, piece: str) -> list[Clause]:
        """The clauses that this piece ends."""
        self._text += piece
        return self._cut(final=False)

    def finish(self) -> list[Clause]:
        """What remains when nothing more follows."""
        clauses = self._cut(final=True)
        if self._start < len(self._text):
            clauses.append(self._take(len(self._text)))
        return clauses

    def _cut(self, *, final: bool) -> list[Clause]:
        clauses: list[Clause] = []
        while True:
            self._skip_space()
            window_end = min(len(self._text), self._start + self._longest + _LONGEST_MARK)
            mark = _MARK.search(self._text, self._scan, window_end)
            reached = window_end if mark is None else mark.end()
            if reached - self._start > self._longest:
                clauses.append(self._take(self._emergency_end()))
                continue
            if mark is None:
                self._scan = len(self._text)
                break
            verdict = self._judge(mark, final=final)
            if verdict == "wait":
                self._scan = mark.start()
                break
            if verdict == "cut":
                clauses.append(self._take(mark.end()))
            else:
                self._scan = mark.end()
        self._text = self._text[self._start :]
        self._offset += self._start
        self._scan -= self._start
        self._start = 0
        return clauses

    def _take(self, end: int) -> Clause:
        """The clause up to `end`; the next one begins there."""
        text = self._text[self._start : end].rstrip()
        start = self._offset + self._start
        self._start = self._scan = end
        self._count += 1
        return Clause(text, start, start + len(text))

    def _skip_space(self) -> None:
        while self._start < len(self._text) and self._text[self._start].isspace():
            self._start += 1
        self._scan = max(self._scan, self._start)

    def _judge(self, mark: re.Match[str], *, final: bool) -> Literal["cut", "go on", "wait"]:
        """Whether the clause ends here; `wait` where that depends on what follows."""
        text, marks, end = self._text, mark["marks"], mark.end()
        before = text[self._start : mark.start()]
        if marks is None:
            return "cut" if any(map(str.isalnum, before)) else "go on"
        if end == len(text) and not final:
            return "wait"
        following = text[end : end + _AHEAD]
        ahead = following.strip()[:1]
        if following and not following[0].isspace() and marks[-1] not in _WITHOUT_SPACE:
            return "go on"
        if not ahead and len(following) < _AHEAD and "\n" not in following and not final:
            return "wait"
        if before[-1:].isdigit() and ahead.isdigit() and not set(marks) & set("!?。！？"):
            return "go on"
        full = not set(marks).isdisjoint(_FULL) and not _ELLIPSIS.fullmatch(marks)
        if not full and len(before) < self._half_stops[min(self._count, len(self._half_stops) - 1)]:
            return "go on"
        if sum(_speaks(character, digits=full) for character in before) < 2:
            return "go on"
        if marks == "–" and not before[-1:].isspace():
            return "go on"
        return "go on" if marks == "." and _goes_on(before, ahead) else "cut"

    def _emergency_end(self) -> int:
        """Where to cut what has no mark: behind the last space, or else not within a character that has several parts."""
        window = self._text[self._start : self._start + self._longest]
        for place in range(len(window) - 1, 0, -1):
            if window[place].isspace():
                return self._start + place
        end = self._start + self._longest
        for place in range(end, max(end - 16, self._start), -1):
            if not _joins(self._text[place]) and not _joins(self._text[place - 1], forward=True):
                return place
        return end


def _goes_on(before: str, ahead: str) -> bool:
    """Whether the full stop behind these words belongs to an abbreviation, an initial or an ordinal number."""
    found = _LAST_WORD.search(before[-16:])
    word = found[0].lower() if found else ""
    parts = word.split(".")
    if word.isdigit():
        return len(word) <= 2
    if all(part.isalpha() and len(part) <= 2 for part in parts) and (len(parts) > 1 or len(word) == 1):
        return True
    if word in _ABBREVIATIONS or (word in _BEFORE_NUMBERS and ahead.isdigit()):
        return True
    return len(word) <= 4 and word.isalpha() and ahead.islower()


def _speaks(character: str, *, digits: bool) -> bool:
    """Whether it is a letter, a vowel sign on one, or (`digits`) a digit."""
    return character.isalpha() or unicodedata.category(character)[0] == "M" or (digits and character.isalnum())


def _joins(character: str, *, forward: bool = False) -> bool:
    """Whether a character belongs to the one before it, or (`forward`) takes the one behind it along."""
    if character == "\N{ZERO WIDTH JOINER}":
        return True
    return not forward and (unicodedata.category(character)[0] == "M" or "\U0001f3fb" <= character <= "\U0001f3ff")
