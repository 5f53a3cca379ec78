"""The console's two themes, and the palette that every drawn line takes its colours from."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache

from rich.style import Style
from textual.color import Color
from textual.theme import BUILTIN_THEMES, Theme

NIGHT = Theme(
    name="night",
    primary="#6fb3f2",
    secondary="#b39df3",
    accent="#57c5cf",
    success="#5fca8c",
    warning="#e2b14a",
    error="#f0696c",
    foreground="#d4dae3",
    background="#0f1217",
    surface="#151a21",
    panel="#1d242e",
    dark=True,
    variables={
        "footer-background": "#0f1217",
        "scrollbar": "#2a323d",
        "scrollbar-hover": "#3a4553",
        "scrollbar-active": "#6fb3f2",
        "scrollbar-background": "#0f1217",
        "scrollbar-background-hover": "#0f1217",
        "scrollbar-background-active": "#0f1217",
        "input-selection-background": "#6fb3f2 35%",
        "block-cursor-background": "#26303d",
        "block-cursor-foreground": "#ffffff",
        "block-cursor-text-style": "bold",
    },
)

DAY = Theme(
    name="day",
    primary="#1c69b0",
    secondary="#6a4cc0",
    accent="#0d7f8c",
    success="#18804a",
    warning="#9c6a00",
    error="#c3303a",
    foreground="#22282f",
    background="#fafaf7",
    surface="#f1f2ee",
    panel="#e3e7e6",
    dark=False,
    variables={
        "footer-background": "#fafaf7",
        "scrollbar": "#cfd5d6",
        "scrollbar-hover": "#b6bfc1",
        "scrollbar-active": "#1c69b0",
        "scrollbar-background": "#fafaf7",
        "scrollbar-background-hover": "#fafaf7",
        "scrollbar-background-active": "#fafaf7",
        "input-selection-background": "#1c69b0 25%",
        "block-cursor-background": "#d5dee4",
        "block-cursor-foreground": "#101418",
        "block-cursor-text-style": "bold",
    },
)


def wrong_theme(name: str) -> str:
    """Say that there is no theme of a name, and which ones there are; nothing if there is one."""
    themes = (NIGHT.name, DAY.name, *sorted(BUILTIN_THEMES))
    if name in themes:
        return ""
    close = get_close_matches(name, themes, n=1)
    hint = f"Did you mean {close[0]}?" if close else f"The themes are {', '.join(themes)}."
    return f"theme of [console]: there is no theme {name!r}. {hint}"


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours by what they mean, as `#rrggbb`. `good`, `fair` and `bad` are kept for judgements and nothing else."""

    background: str
    surface: str
    selected: str
    track: str
    """The unlit part of a meter."""
    text: str
    muted: str
    faint: str
    accent: str
    good: str
    fair: str
    bad: str
    caller: str
    ours: str


@lru_cache(maxsize=8)
def palette_of(theme_key: tuple[str, ...]) -> Palette:
    """The palette for the colours that `theme_colours` took from a theme."""
    background, surface, panel, text, accent, good, fair, bad, caller, ours = (
        Color.parse(value) for value in theme_key
    )
    return Palette(
        background=background.hex6,
        surface=surface.hex6,
        selected=panel.hex6,
        track=background.blend(text, 0.085).hex6,
        text=text.hex6,
        muted=background.blend(text, 0.55).hex6,
        faint=background.blend(text, 0.22).hex6,
        accent=accent.hex6,
        good=good.hex6,
        fair=fair.hex6,
        bad=bad.hex6,
        caller=caller.hex6,
        ours=ours.hex6,
    )


def palette_for(theme: Theme) -> Palette:
    """The palette of any Textual theme; colours that it leaves out are derived as Textual derives them."""
    colours = theme.to_color_system().generate()
    names = (
        "background",
        "surface",
        "panel",
        "foreground",
        "primary",
        "success",
        "warning",
        "error",
        "accent",
        "secondary",
    )
    return palette_of(tuple(colours[name] for name in names))


@lru_cache(maxsize=4096)
def blend(start: str, end: str, fraction: float) -> str:
    """The colour `fraction` of the way from one to the other."""
    return Color.parse(start).blend(Color.parse(end), fraction).hex6


@lru_cache(maxsize=4096)
def style(colour: str, background: str, *, bold: bool = False) -> Style:
    """A style for drawn lines."""
    return Style(color=colour, bgcolor=background, bold=bold or None)
