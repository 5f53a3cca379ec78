"""The two lines at the top: accounts and calls, listening addresses and the health of the media clock."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from voip_engine.snapshots import AccountSnapshot, AccountState
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

SMALLEST_CAUSE, CAUSE_GAP = 24, "   "
"""Cells for a name and why its account failed: of what would get less, the first ones are told."""


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
            _health(board),
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
        calls = [(f" {words.count(self._board.live, 'call')} ", style(palette.text, palette.surface, bold=True))]
        brand: Pieces = [
            (" ▚ ", style(palette.accent, palette.surface, bold=True)),
            (self._title, style(palette.text, palette.surface, bold=True)),
            ("   ", ground),
        ]
        accounts, trouble = self._accounts(width - _width(brand) - _width(calls))
        if y == 0:
            return ends(brand + accounts, calls, width, ground)
        if self._board.engine is None:
            return ends([("   starting …", style(palette.muted, palette.surface))], [], width, ground)
        left: Pieces = [("   ", ground), trouble or (self._where(), style(palette.muted, palette.surface))]
        return ends(left, self._figures(width - _width(left), least=0 if trouble else 1), width, ground)

    def _where(self) -> str:
        """Where calls come in."""
        engine = self._board.engine
        if engine is not None and engine.listening:
            return " · ".join(words.listening(address) for address in engine.listening)
        accounts = len(self._board.accounts)
        return f"calls come in over {words.count(accounts, 'account')}" if accounts else "not listening"

    def _figures(self, room: int, *, least: int) -> Pieces:
        """What there is to say of the engine; where that is more than fits, what matters least goes, until `least` are left."""
        figures = _health(self._board)
        while len(figures) > least and sum(len(text) + 2 for text, _, _ in figures) + 1 > room:
            figures.remove(min(figures, key=lambda figure: figure[2]))
        surface = self.palette.surface
        return [(f"  {text}", style(getattr(self.palette, role), surface)) for text, role, _ in figures] + [
            (" ", style(self.palette.text, surface))
        ]

    def _accounts(self, room: int) -> tuple[Pieces, tuple[str, Style] | None]:
        """All accounts in the order of the settings; where they are more than fit, how many are registered, and who is not.

        Why an account failed stands behind its name, or, where there is no room for that, comes second: for the line below.
        """
        surface = self.palette.surface
        if not self._board.accounts:
            none = "no account, direct calls only" if self._board.engine else ""
            return [(none, style(self.palette.muted, surface))], None
        accounts = self._board.accounts
        whole = [piece for account in accounts for piece in self._account(account, whole=True)]
        if _width(whole[:-1]) <= room:
            return whole, None
        pieces = [piece for account in accounts for piece in self._account(account, whole=False)]
        failed = [account for account in accounts if account.state is AccountState.FAILED]
        if len(accounts) > 1 and _width(pieces[:-1]) > room:
            registered = sum(account.state is AccountState.REGISTERED for account in accounts)
            summary = (f"{registered} of {len(accounts)} registered   ", style(self.palette.text, surface))
            for short in (False, True):
                named = [self._account(account, whole=False, short=short) for account in failed or accounts]
                pieces = [summary, *(piece for account in named for piece in account)]
                if _width(pieces[:-1]) <= room:
                    break
        causes = _causes(failed, self.size.width - 4)
        return pieces, (causes, style(self.palette.bad, surface)) if causes else None

    def _account(self, account: AccountSnapshot, *, whole: bool, short: bool = False) -> Pieces:
        """Sign and name (without the host if `short`), waiting messages, and what is wrong if `whole`."""
        surface = self.palette.surface
        sign, role = ACCOUNT_SIGNS[account.state]
        failed = account.state is AccountState.FAILED
        pieces: Pieces = [
            (f"{sign} ", style(getattr(self.palette, role), surface)),
            (_user(account) if short else words.bare_uri(account.account), style(self.palette.text, surface)),
        ]
        if account.voicemail is not None and account.voicemail.waiting:
            new = f" {account.voicemail.new}" if account.voicemail.new else ""
            pieces.append((f" ✉{new}", style(self.palette.accent, surface)))
        if (detail := account_detail(account)) and (whole or not failed):
            pieces.append((f" {detail}", style(self.palette.bad if failed else self.palette.muted, surface)))
        return [*pieces, ("   ", style(self.palette.text, surface))]


def _width(pieces: Pieces) -> int:
    return sum(cell_len(text) for text, _ in pieces)


def _user(account: AccountSnapshot) -> str:
    return words.bare_uri(account.account).partition("@")[0]


def _causes(failed: Sequence[AccountSnapshot], room: int) -> str:
    """Why accounts failed, with their names where they are several. What is too long for its share of the room is cut."""
    if len(failed) < 2:
        return "".join(map(account_detail, failed))
    causes = [f"{_user(account)}: {account_detail(account)}" for account in failed[: max(1, room // SMALLEST_CAUSE)]]
    room -= len(CAUSE_GAP) * (len(causes) - 1)
    shares = [cell_len(cause) for cause in causes]
    for number, place in enumerate(sorted(range(len(causes)), key=shares.__getitem__)):  # what short ones leave goes on
        shares[place] = min(shares[place], room // (len(causes) - number))
        room -= shares[place]
    return CAUSE_GAP.join(map(words.fit, causes, shares))


def account_detail(account: AccountSnapshot) -> str:
    """What is to be said of an account beyond its name, in plain words."""
    match account.state:
        case AccountState.REGISTERED:
            return ""
        case AccountState.FAILED:
            again = f" Next try at {words.clock(account.retry_at)[:5]}." if account.retry_at is not None else ""
            return (words.clean(account.detail) or f"refused with {account.status}") + again
    return str(account.state.value)


def _health(board: Board) -> list[tuple[str, str, int]]:
    """What there is to say of the engine: in words, the colour's role, and how much it matters."""
    engine = board.engine
    if engine is None:
        return []
    if not engine.media_running:
        return [("media is restarting", "bad", 9)]
    late = engine.lateness_p99_ms
    role = "muted" if late < LATE_MS else "fair" if late < VERY_LATE_MS else "bad"
    figures = []
    if engine.media_restarts:
        figures.append((words.count(engine.media_restarts, "media restart"), "muted", 2))
    if board.refused_calls:
        figures.append((f"{board.refused_calls:,} refused", "fair", 4))
    if engine.turned_away:
        figures.append((f"{engine.turned_away:,} turned away", "muted", 3))
    figures.append((f"clock {words.milliseconds(late)}", role, 1 if role == "muted" else 5))
    figures.append((f"load {engine.busy_fraction * 100:.0f} %", "muted", 0))
    return figures
