"""The house stands as drawn: layers point down, libraries stay in their rooms, rooms stay small."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "vllm_tui"

LAYERS: dict[str, set[str]] = {
    "domain": set(),
    "settings": {"domain"},
    "provider": {"domain"},
    "accounting": {"domain"},
    "server": {"domain"},
    "tools": {"domain"},
    "store": {"domain"},
    "cassette": {"domain"},
    "demo": {"domain"},
    "engine": {"domain"},
    "ui": {"engine", "settings", "accounting", "domain"},
}
"""Which of our packages each package may import; itself always. cli, wiring and amplifier may import all."""

LIBRARIES: dict[str, set[str]] = {
    "pydantic": {"domain", "provider"},
    "tomllib": {"settings"},
    "tomli_w": {"settings"},
    "platformdirs": {"settings"},
    "yaml": {"settings"},
    "openai": {"provider"},
    "httpx2": {"provider", "server", "cassette", "demo"},
    "tiktoken": {"accounting"},
    "openai_harmony": {"accounting"},
    "bpe_openai": {"accounting"},
    "regex": {"accounting"},
    "jsonschema": {"tools"},
    "mcp": {"tools"},
    "sqlite3": {"store"},
    "textual": {"ui"},
    "rich": {"ui"},
    "markdown_it": {"ui"},
    "pygments": {"ui"},
    "amplifier_core": {"amplifier"},
}
"""The packages that may import a library."""

OWN_ONLY = ("cli", "wiring", "amplifier", "__main__", "__init__")
HEADLESS = ("domain", "settings", "provider", "accounting", "server", "tools", "store", "cassette", "demo", "engine")
MODULE_LINES, FUNCTION_LINES, CLASS_METHODS = 400, 50, 25


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).parts
    return parts[0].removesuffix(".py")


def imports_of(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute here"
            found.add(node.module or "")
            found |= {f"{node.module}.{alias.name}" for alias in node.names if node.module == "vllm_tui"}
    return found


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_down(path: Path) -> None:
    room = room_of(path)
    if room in OWN_ONLY:
        return
    rooms = {name.split(".")[1] for name in imports_of(path) if name.startswith("vllm_tui.")} - {"__version__"}
    assert rooms <= LAYERS[room] | {room}


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_libraries_stay_in_their_rooms(path: Path) -> None:
    room = room_of(path)
    for name in imports_of(path):
        library = name.split(".")[0]
        if library in LIBRARIES:
            assert room in LIBRARIES[library], f"{library} belongs to {sorted(LIBRARIES[library])}"


@pytest.mark.parametrize("room", HEADLESS)
def test_a_headless_room_loads_no_screen(room: str) -> None:
    names = [".".join(p.relative_to(ROOT).with_suffix("").parts) for p in modules() if room_of(p) == room]
    names = [name.removesuffix(".__init__") for name in names]
    forbidden = {"textual", "rich.console"} | ({"openai"} if room != "provider" else set())
    code = (
        "import importlib, sys\n"
        f"for name in {names!r}: importlib.import_module(name)\n"
        f"bad = {sorted(forbidden)!r}\n"
        "print([name for name in bad if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (run.stdout.strip(), run.stderr) == ("[]", "")


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_rooms_stay_small(path: Path) -> None:
    text = path.read_text()
    tree = ast.parse(text)
    assert len(text.splitlines()) <= MODULE_LINES
    assert ast.get_docstring(tree), "every module says what it is"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= FUNCTION_LINES, f"{node.name} has {length} lines"
        if isinstance(node, ast.ClassDef):
            methods = [item for item in node.body if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef)]
            assert len(methods) <= CLASS_METHODS, f"{node.name} has {len(methods)} methods"


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_public_signatures_hold_no_any(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or node.name.startswith("_"):
            continue
        arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        notes = [a.annotation for a in arguments if a.annotation] + ([node.returns] if node.returns else [])
        names = {n.id for note in notes for n in ast.walk(note) if isinstance(n, ast.Name)}
        assert "Any" not in names, f"{node.name} has Any in its signature"


def test_no_worker_boundary_is_wider_than_it_must_be() -> None:
    wide: list[str] = []
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ExceptHandler):
                name = node.type.id if isinstance(node.type, ast.Name) else None
                if node.type is None or name in ("Exception", "BaseException"):
                    wide.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert wide == [], "except Exception belongs to the worker boundary alone"


def test_version_needs_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['vllm-tui', '--version']\n"
        "from vllm_tui.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print([n for n in ('textual', 'openai', 'pydantic', 'httpx2') if n in sys.modules], file=sys.stderr)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.stderr.strip() == "[]"
    assert run.stdout.strip().split()[-1].count(".") == 2


def test_the_first_frame_needs_nothing_heavy() -> None:
    heavy = ("openai", "pydantic", "httpx2", "jsonschema", "mcp", "markdown_it", "pygments", "tiktoken",
             "vllm_tui.domain.tool_runs", "vllm_tui.tools", "vllm_tui.cassette", "vllm_tui.provider")  # fmt: skip
    code = (
        "import sys, vllm_tui.wiring.screen, vllm_tui.ui.app\n"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
