"""Models that the operator has the engine fetch: how far each is, whichever calls wait for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from voip_tui import words
from voip_tui.bridge import ConsoleEngine, PullProgressLike
from voip_tui.commanding import explain

MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class Pull:
    """How far a model is. `failure` is a plain sentence once it could not be fetched."""

    model: str
    done_bytes: int = 0
    total_bytes: int = 0
    status: str = ""
    running: bool = True
    failure: str = ""

    @property
    def fraction(self) -> float | None:
        """From 0 to 1; None while the size is not known."""
        return min(1.0, self.done_bytes / self.total_bytes) if self.total_bytes > 0 else None

    @property
    def figures(self) -> str:
        """`45 of 145 MB`, or what is known of it."""
        done = self.done_bytes / MEGABYTE
        if self.total_bytes > 0:
            return f"{done:,.0f} of {self.total_bytes / MEGABYTE:,.0f} MB"
        return f"{done:,.0f} MB" if self.done_bytes else words.clean(self.status) or "starting"


@dataclass(slots=True)
class Pulls:
    """Every model that is fetched or was, by name. Each is fetched once at a time."""

    by_model: dict[str, Pull] = field(default_factory=dict)

    def get(self, model: str | None) -> Pull | None:
        """How a model's pull stands, or None if nobody has asked for it."""
        return self.by_model.get(model) if model is not None else None

    @property
    def running(self) -> bool:
        """Whether any is under way."""
        return any(pull.running for pull in self.by_model.values())

    async def run(self, engine: ConsoleEngine, model: str, changed: Callable[[], None]) -> Pull:
        """Fetch a model; `changed` is called when it starts and ends. Never raises what the engine raised: see `failure`."""
        self.by_model[model] = Pull(model)
        changed()
        try:
            await engine.pull_model(model, self._progress)
        except Exception as error:
            self.by_model[model] = Pull(model, running=False, failure=explain(error))
        except BaseException:
            del self.by_model[model]
            raise
        else:
            self.by_model[model] = Pull(model, running=False)
        changed()
        return self.by_model[model]

    def _progress(self, progress: PullProgressLike) -> None:
        # Drawn by whoever looks, a few times a second: this may be called for every block that arrives.
        pull = self.by_model.get(progress.model)
        if pull is not None and pull.running:
            self.by_model[progress.model] = Pull(
                progress.model, progress.done_bytes, progress.total_bytes or 0, progress.status
            )
