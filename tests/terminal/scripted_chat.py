"""The chat on a scripted backend, as a program: `python -m tests.terminal.scripted_chat NAME FOLDER`."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.support.scripted_provider import MODEL, FixedTools, Pause, ScriptedBackend, ScriptedProvider, answer, deltas
from vllm_tui.domain.blocks import ToolCallBlock
from vllm_tui.domain.errors import InvalidRequest
from vllm_tui.domain.events import BlockStarted
from vllm_tui.domain.response import ModelInfo
from vllm_tui.domain.turns import Turn
from vllm_tui.ui.app import ChatApp
from vllm_tui.ui.launch import Launch

HOSTILE = (
    "\x1b]52;c;aGFja2Vk\x07 \x1b]0;owned\x1b\\ \x1b]8;;http://evil.example\x1b\\link\x1b]8;;\x1b\\ \x1b[31mred\x1b[2J "
    "\x9b31m \x9d52;c;aGFja2Vk\x9c \x90q\x9c \u202eesrever\u2066 \U000e0041 \r\x08\x7f [@click=app.quit]x[/] [bold"
)
"""What a hostile server might write: OSC 52, 0 and 8, CSI, C1 codes, bidi controls, tags, markup."""


class Kept:
    """Writes the state of a finished turn to a file, as a store would."""

    problem = None

    def __init__(self, folder: Path) -> None:
        self._file = folder / "finished"

    async def start_turn(self, turn: Turn) -> None:
        self._file.with_name("started").write_text(turn.question.text)

    def note_progress(self, turn: Turn) -> None:
        pass

    async def finish_turn(self, turn: Turn) -> None:
        self._file.write_text(turn.status)


def backend(name: str, folder: Path) -> ScriptedBackend:
    call = ToolCallBlock(id="1", name=f"tool{HOSTILE}", input={"a": HOSTILE}, raw_arguments=f'{{"a": "{HOSTILE}"}}')
    scripts = {
        "plain": ScriptedProvider(answer("A plain answer.")),
        "endless": ScriptedProvider([BlockStarted(0, "text"), *deltas(0, "text", "Half an answer"), Pause()]),
        "hostile": ScriptedProvider(
            answer(f"answer {HOSTILE} ANSWERED", thinking=f"thought {HOSTILE} THOUGHT", call=call),
            answer(f"# {HOSTILE}\n\n```{HOSTILE}\n{HOSTILE}\n```\n\n| {HOSTILE} |\n|---|\n| cell |\n\nLAST WORD"),
            [InvalidRequest(f"refused {HOSTILE}", hint=f"REFUSED {HOSTILE}")],
            models=[ModelInfo(id=f"model{HOSTILE}", display_name="m"), MODEL.model_copy(update={"id": f"b{HOSTILE}"})],
        ),
    }
    result = ScriptedBackend(scripts[name], tools=FixedTools(tool=HOSTILE))
    result.kept = Kept(folder)  # type: ignore[assignment]
    result.notices.append(f"notice {HOSTILE}" if name == "hostile" else "")
    result.notices[:] = [notice for notice in result.notices if notice]
    return result


def main() -> int:
    name, folder = sys.argv[1], Path(sys.argv[2])
    launch = Launch(server="gpu-box", model="openai/gpt-oss-20b", data_folder=folder, reasoning_mode="show")
    app = ChatApp(launch, backend(name, folder))
    app.run()
    return app.return_code or 0


if __name__ == "__main__":
    sys.exit(main())
