"""The two lines at the top: accounts and calls, listening addresses and the health of the media clock."""

from __future__ import annotations

from rich.cells import cell_len
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from voip_engine.snapshots import AccountSnapshot, AccountState, EngineSnapshot
from voip_tui import words
from voip_tui.bridge import Board
from voip_tui.theme import Palette, style
from voip_tui.widgets.lines import Pieces, ends

LATE_MS, VERY_LATE_MS = 5.0, 20.0
"""Lateness of outbound packets: under the first nobody hears it; from the second on jitter buffers run dry."""

ACCOUNT_SIGNS = {
    AccountState.REGISTERED: ("●", "good"),
    AccountState.REGISTERING: ("◌", "muted"),
    AccountState.FAILED: ("●", "bad"),
    AccountState.UNREGISTERED: ("○", "muted"),
}


class Header(Widget):
    """Who we are, where we listen, and whether all is well."""

    def __init__(self, palette: Palette, *, title: str) -> None:
        super().__init__()
        self.palette = palette
        self._title = title
        self._board = Board()
        self._drawn: tuple[object, ...] = ()

    def show(self, board: Board) -> None:
        """Show the board's accounts and engine; draws only when a word differs."""
        self._board = board
        drawn = (
            board.accounts,
            board.live,
            len(board.views),
            _health(board.engine),
            board.engine and board.engine.listening,
        )
        if drawn != self._drawn:
            self._drawn = drawn
            self.refresh()

    def repaint(self, palette: Palette) -> None:
        """Draw anew in other colours."""
        self.palette = palette
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Line 0 has the accounts, line 1 the engine."""
        palette, width = self.palette, self.size.width
        ground = style(palette.text, palette.surface)
        if y == 0:
            brand: Pieces = [
                (" ▚ ", style(palette.accent, palette.surface, bold=True)),
                (self._title, style(palette.text, palette.surface, bold=True)),
                ("   ", ground),
            ]
            calls = [(f" {words.count(self._board.live, 'call')} ", style(palette.text, palette.surface, bold=True))]
            room = width - sum(cell_len(text) for text, _ in (*brand, *calls))
            return ends(brand + self._accounts(room), calls, width, ground)
        engine = self._board.engine
        muted = style(palette.muted, palette.surface)
        if engine is None:
            return ends([("   starting …", muted)], [], width, ground)
        where = " · ".join(words.listening(address) for address in engine.listening)
        text, role = _health(engine)
        health: Style = style(getattr(palette, role), palette.surface)
        return ends([(f"   {where or 'not listening'}", muted)], [(f"  {text} ", health)], width, ground)

    def _accounts(self, room: int) -> Pieces:
        """All accounts, the failed ones first; before them how many are registered where they are more than fit."""
        surface = self.palette.surface
        if not self._board.accounts:
            return [("no account, direct calls only" if self._board.engine else "", style(self.palette.muted, surface))]
        pieces: Pieces = []
        for account in sorted(self._board.accounts, key=lambda account: account.state is not AccountState.FAILED):
            sign, role = ACCOUNT_SIGNS[account.state]
            pieces.append((f"{sign} ", style(getattr(self.palette, role), surface)))
            pieces.append((words.bare_uri(account.account), style(self.palette.text, surface)))
            if account.voicemail is not None and account.voicemail.waiting:
                new = f" {account.voicemail.new}" if account.voicemail.new else ""
                pieces.append((f" ✉{new}", style(self.palette.accent, surface)))
            detail = account_detail(account)
            if detail:
                colour = self.palette.bad if account.state is AccountState.FAILED else self.palette.muted
                pieces.append((f" {detail}", style(colour, surface)))
            pieces.append(("   ", style(self.palette.text, surface)))
        if len(self._board.accounts) == 1 or sum(cell_len(text) for text, _ in pieces[:-1]) <= room:
            return pieces
        registered = sum(account.state is AccountState.REGISTERED for account in self._board.accounts)
        summary = f"{registered} of {len(self._board.accounts)} registered   "
        return [(summary, style(self.palette.text, surface)), *pieces]


def account_detail(account: AccountSnapshot) -> str:
    """What is to be said of an account beyond its name, in plain words."""
    match account.state:
        case AccountState.REGISTERED:
            return ""
        case AccountState.FAILED:
            return words.clean(account.detail) or f"refused with {account.status}"
    return str(account.state.value)


def _health(engine: EngineSnapshot | None) -> tuple[str, str]:
    """The media clock's health in words, and the colour's role."""
    if engine is None:
        return "", "muted"
    if not engine.media_running:
        return "media is restarting", "bad"
    late = engine.lateness_p99_ms
    role = "muted" if late < LATE_MS else "fair" if late < VERY_LATE_MS else "bad"
    text = f"clock {words.milliseconds(late)}  load {engine.busy_fraction * 100:.0f} %"
    if engine.turned_away:
        text = f"{engine.turned_away:,} turned away  {text}"
    if engine.media_restarts:
        text = f"{words.count(engine.media_restarts, 'media restart')}  {text}"
    return text, role
