"""Turns what a chat model writes into what can be said: markup, emoji, links and stage directions become speech or vanish.

Nothing here depends on the language; what a symbol is comes from Unicode's general categories.
"""

from __future__ import annotations

import re
import unicodedata

# Between steps this stands for something left out, so that the space around it can be closed.
_GAP = "\ufffc"
_STAGE_WORDS = frozenset((
    "laugh", "laughs", "laughing", "laughter", "chuckle", "chuckles", "chuckling", "giggle", "giggles", "giggling", "sigh",
    "sighs", "sighing", "smile", "smiles", "smiling", "grins", "grinning", "winks", "winking", "nods", "nodding", "gasps",
    "gasping", "coughs", "coughing", "clears", "pause", "pauses", "pausing", "whispers", "whispering", "shrugs", "sobs",
    "music", "applause", "silence", "beat", "lacht", "lachend", "lächelt", "lächelnd", "seufzt", "kichert", "räuspert",
    "hustet", "nickt", "flüstert", "schweigt", "musik", "rire", "rires", "rit", "sourit", "soupire", "soupir", "musique",
    "silencio", "ríe", "risa", "risas", "sonríe", "suspira", "música", "pausa", "ride", "sorride", "sospira", "musica", "ri",
    "risos", "lachen", "zucht", "glimlacht", "muziek", "смеётся", "смеется", "смех", "вздыхает", "пауза", "музыка", "笑",
    "笑い", "微笑", "叹气", "音乐", "音楽", "拍手", "ضحك", "يضحك", "موسيقى", "हँसता", "हँसती", "संगीत",
))  # fmt: skip
_KEPT_SYMBOLS = frozenset("°№℃℉")

_ENTITY = re.compile(r"&(?:amp;)*(lt|gt|quot|apos|nbsp|amp|#39);")
_ENTITIES = {"lt": "<", "gt": ">", "quot": '"', "apos": "'", "#39": "'", "nbsp": " ", "amp": "&"}
_KEYCAP = re.compile("([0-9#*])\ufe0f?\u20e3")
_AS_EMOJI = re.compile("[^0-9\\s]\ufe0f")
_FENCE = re.compile("`{3,}")
_TAG = re.compile(
    r"<!--.{0,300}?-->|<\|[^|<>]{0,60}\|>|</?[a-zA-Z][a-zA-Z0-9-]{0,30}(?:[\s/][^<>]{0,300})?>", re.DOTALL
)
_LINK = re.compile(r"!?\[([^\[\]]{0,300})\](?:\([^()\s]{0,2000}(?:\s[^()]{0,300})?\)|\[[^\[\]]{0,100}\])")
_BRACKETS = re.compile(r"\[([^\[\]\n]{0,300})\]")
_URL = re.compile(r"(?i)<?\b(?:(?:https?|ftp)://|mailto:|www\.)([^\s<>()\[\]\"“”«»，。、！？*`|]{1,2000})>?")
_MAIL = re.compile(r"(?<=[\w])@(?=[\w-]{1,63}\.)")
_PRODUCT = re.compile(r"(?<=\d)[^\S\n]?\*{1,2}[^\S\n]?(?=\d)")
_ASTERISKS = re.compile(r"(?<![\w*_\\])([*_])(?!\s)([^*_\n]{1,60})(?<!\s)\1(?![\w*_])")
_PARENTHESES = re.compile(r"[(（]([^()（）\n]{0,60})[)）]")
_HEADING = re.compile(r"[^\S\n]{0,8}#{1,6}(?:[^\S\n]+|$)")
_RULE = re.compile(r"[\s|:*_=~—-]{3,}")
_BULLETS = re.compile(r"(?:[^\S\n]*(?:>|[-+*•◦▪‣·–](?=\s|$)))+[^\S\n]*")
_NUMBER = re.compile(r"[^\S\n]*(\d{1,3})\)(?=\s)")
_ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")
_ARROWS = re.compile("[←-⇿⟰-⟿⤀-⥿⬀-⯿]")
_GAPS = re.compile(rf"[^\S\n]?{_GAP}(?:{_GAP}|[^\S\n])*")


def speakable(text: str) -> str:
    """What of a finished piece of a reply can be said; empty where nothing can. Never raises, takes linear time.

    Prose in any script comes back as it was. Code in fences, emoji, HTML, stage directions and citations are left out,
    links and tables lose their markup, an address on the web is its domain, "@" in a mail address is "at".
    Applied twice it does no more than once.
    """
    for _ in range(6):
        before, text = text, _pass(text)
        if text == before:
            return text
    # Markup within markup within markup: no model means that.
    plain = "".join(c if c.isalnum() or c.isspace() or c in ",!?" or _category(c)[0] == "M" else " " for c in text)
    return _pass(plain)


class SpokenText:
    """`speakable` for the clauses of one reply in their order: code in a fence spans clauses."""

    def __init__(self) -> None:
        self._in_fence = False

    def clause(self, text: str) -> str:
        """What of the next clause can be said."""
        parts = _FENCE.split(text)
        outside = parts[1 if self._in_fence else 0 :: 2]
        self._in_fence ^= len(parts) % 2 == 0
        return speakable(" ".join(outside))


def _pass(text: str) -> str:
    text = " ".join(_FENCE.split(text)[::2])
    text = _ENTITY.sub(lambda entity: _ENTITIES[entity[1]], text)
    text = _AS_EMOJI.sub(_GAP, _KEYCAP.sub(r"\1", text))
    text = _without_symbols(text)
    text = _LINK.sub(r"\1", text)
    text = _URL.sub(_domain, text)
    text = _TAG.sub(_GAP, text)
    text = _MAIL.sub(" at ", text).replace("@", " ")
    text = _BRACKETS.sub(_bracketed, text)
    text = _PARENTHESES.sub(_parenthesized, text)
    text = _PRODUCT.sub(" × ", text)
    text = "\n".join(_line(line) for line in text.split("\n"))
    text = _ASTERISKS.sub(_emphasized, text)
    text = _ESCAPE.sub(r"\1", text)
    text = re.sub(r"(?<=\w)_(?=\w)", " ", text)
    text = re.sub(r"[*_`~^{}\\\[\]|]+", "", text)
    text = re.sub(r"#(?=[^\W\d])", "", text)
    text = _ARROWS.sub(" ", text)
    return _tidy(_GAPS.sub(_closed, _tidy(text)))


def _line(line: str) -> str:
    """A line without what marks it as a heading, a list item, a quotation, a rule or a row of a table."""
    if _RULE.fullmatch(line):
        return ""
    line = _HEADING.sub("", line, count=1) if _HEADING.match(line) else line
    if bullets := _BULLETS.match(line):
        line = line[bullets.end() :]
    if number := _NUMBER.match(line):
        line = f"{number[1]}.{line[number.end() :]}"
    if "|" in line:
        line = ", ".join(cell.strip() for cell in line.split("|") if cell.strip())
    return line


def _without_symbols(text: str) -> str:
    """Without emoji, dingbats, control and private characters. A joiner stays where it joins letters."""
    if text.isascii() and text.isprintable():
        return text
    kept: list[str] = []
    for place, character in enumerate(text):
        category = _category(character)
        if category in ("Zl", "Zp") or character in "\r\v\f\x85":
            kept.append("\n")
        elif category == "Cc":
            kept.append("\n" if character == "\n" else " ")
        elif character in "\u200c\u200d":
            around = text[place - 1 : place] + text[place + 1 : place + 2]
            kept.append(character if len(around) == 2 and all(_category(c)[0] in "LM" for c in around) else "")
        elif category[0] == "C" or character in "\u20e3" or "\ufe00" <= character <= "\ufe0f":
            kept.append("")
        else:
            kept.append(_GAP if _is_picture(character, category) else character)
    return "".join(kept)


def _is_picture(character: str, category: str) -> bool:
    """Whether it is an emoji, a dingbat or a skin tone, rather than a unit or a squared word."""
    if "\U0001f3fb" <= character <= "\U0001f3ff":
        return True
    return category == "So" and character not in _KEPT_SYMBOLS and not "㈀" <= character <= "㏿"


def _domain(url: re.Match[str]) -> str:
    """The domain of an address, and the punctuation that belongs to the sentence."""
    address = url[1]
    ending = address[len(address.rstrip(".,;:!?'…*_")) :]
    if "mailto:" in url[0].lower():
        return address
    host = re.split(r"[/?#]", address.removesuffix(ending), maxsplit=1)[0].rpartition("@")[2]
    host = re.sub(r":\d+$", "", host)
    return re.sub(r"(?i)^(?:www\.)+", "", host) + ending


def _bracketed(found: re.Match[str]) -> str:
    """A citation, a tick box or a few words in brackets are not said; longer text is."""
    words = found[1].split()
    return found[1] if len(words) > 4 else _GAP


def _parenthesized(found: re.Match[str]) -> str:
    content = found[1].replace(_GAP, "").strip(" *_")
    return _GAP if not content or _is_stage_direction(content) else found[0]


def _emphasized(found: re.Match[str]) -> str:
    """The words between two asterisks, unless they tell what the speaker does."""
    content = found[2]
    if _is_stage_direction(content):
        return _GAP
    before = found.string[max(0, found.start() - 8) : found.start()].rstrip()
    after = found.string[found.end() : found.end() + 8].lstrip()
    alone = (not before or before[-1] in ".!?…\n") and (not after or not (after[0].islower() or after[0] in ",;:.!?"))
    words = content.split()
    return _GAP if alone and content[0].islower() and len(words) <= 5 and content[-1].isalpha() else content


def _is_stage_direction(content: str) -> bool:
    words = content.lower().split()
    return bool(words) and len(words) <= 6 and words[0].strip(".,!…") in _STAGE_WORDS


def _closed(gap: re.Match[str]) -> str:
    """One space for what was left out, and none before punctuation or at the end."""
    following = gap.string[gap.end() : gap.end() + 1]
    return "" if not following or following in ",.;:!?…)。，！？、؟،।" else " "


def _tidy(text: str) -> str:
    """Without empty lines and doubled or trailing space."""
    lines = (re.sub(r"[^\S\n]{2,}", " ", line).strip() for line in text.split("\n"))
    return "\n".join(line for line in lines if line)


def _category(character: str) -> str:
    return unicodedata.category(character)
