"""Makes the pictures of the README from the demo: `python screenshots/make.py`. Needs no server and no network."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from textual.pilot import Pilot
from vllm_tui.domain.tool_runs import RunOnce
from vllm_tui.settings.layers import load_settings
from vllm_tui.ui.app import ChatApp
from vllm_tui.ui.screens.chat import ChatScreen
from vllm_tui.ui.widgets.prompt import Prompt
from vllm_tui.wiring.backend import LiveBackend
from vllm_tui.wiring.screen import build_launch

HERE = Path(__file__).parent
PATIENCE_SECONDS = 120.0


class Stage:
    """The chat while its picture is taken."""

    def __init__(self, app: ChatApp, pilot: Pilot[int]) -> None:
        self.app = app
        self.pilot = pilot

    @property
    def chat(self) -> ChatScreen:
        """Return the chat screen."""
        return next(screen for screen in self.app.screen_stack if isinstance(screen, ChatScreen))

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until `condition` holds."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not condition():
                await self.pilot.pause(0.05)

    async def begin(self, text: str) -> None:
        """Ask and wait until a tool call waits, or the answer is there."""
        self.chat.query_one(Prompt).insert_typed(text)
        await self.pilot.press("enter")
        await self.until(lambda: self.chat.approvals.waiting or not self.chat.show.is_running)
        await self.pilot.pause(0.5)

    async def ask(self, text: str) -> None:
        """Ask, let every call run, and wait for the end of the answer."""
        await self.begin(text)
        while self.chat.show.is_running:
            for entry in self.chat.approvals.waiting:
                entry.settle(RunOnce(entry.request.fingerprint))
            await self.pilot.pause(0.1)
        await self.pilot.pause(0.5)


async def answered(stage: Stage) -> None:
    """Show an answer with its reasoning folded."""
    await stage.ask("How does paged attention work?")


async def reasoning(stage: Stage) -> None:
    """Show an answer with its reasoning open, and a tool call."""
    await stage.ask("What is the weather in Paris?")
    await stage.pilot.press("ctrl+t")
    await stage.pilot.pause(0.5)


async def palette(stage: Stage) -> None:
    """Show the palette with what the demo can act out."""
    await stage.pilot.press("ctrl+p")
    await stage.pilot.pause(0.5)


async def settings(stage: Stage) -> None:
    """Show the settings on an option that was changed."""
    await stage.chat.run_action("settings")
    await stage.pilot.pause(0.5)
    await stage.pilot.press("slash", *"reasoning", "enter", "escape", "left")
    await stage.pilot.pause(0.5)


async def figures(stage: Stage) -> None:
    """Show the figures of two turns."""
    await stage.ask("How does paged attention work?")
    await stage.ask("What is the weather in Paris?")
    await stage.pilot.press("ctrl+g")
    await stage.pilot.pause(0.5)


async def tokens(stage: Stage) -> None:
    """Show an answer token by token."""
    await stage.ask("How does paged attention work?")
    await stage.pilot.press("ctrl+l")
    await stage.pilot.pause(0.5)
    await stage.pilot.press("tab", *["right"] * 8)
    await stage.pilot.pause(0.5)


async def call(stage: Stage) -> None:
    """Show a tool call that waits for the person."""
    await stage.begin("What is the weather in Paris?")
    await stage.pilot.press("tab")
    await stage.pilot.pause(0.5)


async def calls(stage: Stage) -> None:
    """Show the inspector of tool calls."""
    await stage.ask("What is the weather in Paris and in London?")
    await stage.chat.run_action("calls")
    await stage.pilot.pause(0.8)


async def wire(stage: Stage) -> None:
    """Show the events of an answer."""
    await stage.ask("How does paged attention work?")
    await stage.pilot.press("f7")
    await stage.pilot.pause(0.8)
    await stage.pilot.press("tab", *["down"] * 6)
    await stage.pilot.pause(0.5)


async def tools(stage: Stage) -> None:
    """Show the tools."""
    await stage.until(lambda: stage.chat.dialogue.models)
    await stage.pilot.press("f6")
    await stage.pilot.pause(0.8)
    await stage.pilot.press("down", "down", "down")
    await stage.pilot.pause(0.5)


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture: its file name, what is done first, the size in cells and the theme."""

    name: str
    scene: Callable[[Stage], Awaitable[None]]
    size: tuple[int, int] = (120, 40)
    theme: str = "dark"


PICTURES = (
    Picture("chat", answered),
    Picture("reasoning", reasoning),
    Picture("light", answered, theme="light"),
    Picture("narrow", answered, size=(80, 24)),
    Picture("palette", palette),
    Picture("settings", settings),
    Picture("figures", figures),
    Picture("tokens", tokens),
    Picture("call", call),
    Picture("calls", calls),
    Picture("wire", wire),
    Picture("tools", tools),
)


async def take(picture: Picture, folder: Path) -> None:
    """Run the demo, act out the scene and save the picture."""
    flags = {"data_folder": str(folder), "theme": picture.theme, "reasoning": "high"}
    settings = load_settings(flags, {}, None)
    launch = build_launch(settings, demo=True, resume_last=False)
    app = ChatApp(launch, LiveBackend(settings, launch.data_folder, demo=True))
    async with app.run_test(size=picture.size) as pilot:
        stage = Stage(app, pilot)
        await stage.until(lambda: stage.chat.is_begun and stage.chat.dialogue.models)
        await picture.scene(stage)
        (HERE / f"{picture.name}.svg").write_text(app.export_screenshot(), encoding="utf-8")
        await app.leave()


async def main() -> None:
    """Take the pictures named on the command line, or all."""
    named = sys.argv[1:]
    for picture in PICTURES:
        if not named or picture.name in named:
            with tempfile.TemporaryDirectory() as folder:
                await take(picture, Path(folder))
            print(f"screenshots/{picture.name}.svg")


if __name__ == "__main__":
    asyncio.run(main())
