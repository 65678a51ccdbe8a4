"""The wire on the screen: exchanges while they come, every side of one, taking away, sending again."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.chat_app import Chat, running_chat
from tests.support.scripted_provider import ScriptedBackend
from tests.support.wire_box import WireBox, recorded
from textual.widgets import OptionList, Static, TextArea
from vllm_tui.ui.screens.bundle import BundleScreen
from vllm_tui.ui.screens.pick import PickScreen
from vllm_tui.ui.screens.wire import WireScreen
from vllm_tui.ui.widgets.json_tree import JsonTree
from vllm_tui.ui.wire.event_list import EventList


def backend(box: WireBox) -> ScriptedBackend:
    return ScriptedBackend(wire=box.log)


async def opened(chat: Chat) -> WireScreen:
    await chat.press("f7")
    await chat.until(lambda: isinstance(chat.app.screen, WireScreen) and chat.app.screen.query("#keys"))
    screen = chat.app.screen
    assert isinstance(screen, WireScreen)
    await chat.until(lambda: screen.current or not screen._entries)
    return screen


def shown(chat: Chat, selector: str) -> str:
    return str(chat.app.screen.query_one(selector, Static).content)


def tree(chat: Chat, selector: str) -> str:
    nodes = chat.app.screen.query_one(selector, JsonTree)
    found = [nodes.get_node_at_line(y) for y in range(nodes.last_line + 1)]
    return "\n".join(str(node.label) for node in found if node is not None)


async def choose(chat: Chat, words: str) -> None:
    await chat.until(lambda: isinstance(chat.app.screen, PickScreen) and chat.app.screen._shown)
    await chat.press(*words)
    picker = chat.app.screen
    assert isinstance(picker, PickScreen)
    await chat.until(lambda: picker._shown and words.replace("space", " ") in picker._shown[0].label.lower())
    await chat.press("enter")


async def test_every_side_of_an_exchange_can_be_read() -> None:
    box = WireBox()
    box.stream("Weather in Paris?")
    async with running_chat(backend=backend(box)) as chat:
        screen = await opened(chat)
        events = screen.query_one(EventList)
        assert "1 exchange" in shown(chat, "#title")
        assert len(events._rows) == len(recorded())
        assert "response.created" in events.render_line(0).text
        assert "nothing odd" in shown(chat, "#odd")
        await chat.press("tab", "end")
        await chat.until(lambda: '"response.completed"' in tree(chat, "#event"))
        await chat.press("2")
        await chat.until(lambda: 'content: "Weather in Paris?"' in tree(chat, "#body"))
        await chat.press("x")
        await chat.until(lambda: '"stream": true' in shown(chat, "#plaintext"))
        await chat.press("3")
        assert "POST http://gpu-box:8000/v1/responses" in shown(chat, "#headtext")
        assert "authorization: [redacted]" in shown(chat, "#headtext")
        assert "HTTP 200" in shown(chat, "#headtext")
        await chat.press("escape")
        await chat.until(lambda: chat.app.screen is chat.screen)


async def test_a_refused_request_shows_its_reply() -> None:
    box = WireBox()
    box.refusal(400, "max_tokens is too large")
    async with running_chat(backend=backend(box)) as chat:
        await opened(chat)
        assert "no stream" in shown(chat, "#odd")
        await chat.press("4")
        await chat.until(lambda: "max_tokens is too large" in tree(chat, "#body"))
        await chat.press("3")
        assert "✗ max_tokens is too large" in shown(chat, "#headtext")


async def test_events_come_while_it_is_shown_and_the_cursor_stays() -> None:
    box, events = WireBox(), recorded()
    box.request({"input": "hi"})
    box.answer()
    for name, data in events[:6]:
        box.event(name, data)
    async with running_chat(backend=backend(box)) as chat:
        screen = await opened(chat)
        listed = screen.query_one(EventList)
        await chat.press("tab", "down", "down")
        before = listed.current
        for name, data in events[6:]:
            box.event(name, data)
        screen.show()
        assert len(listed._rows) == len(events)
        assert listed.current == before
        await chat.press("end")
        box.event("", b'{"type": "response.late"}')
        screen.show()
        assert listed.current is not None
        assert listed.current.type == "response.late"


async def test_events_are_filtered_by_type_and_odd_ones_are_found() -> None:
    box = WireBox()
    box.stream(events=[*recorded(), ("", b"{broken"), ("", b'{"type": "response.brand_new"}')])
    async with running_chat(backend=backend(box)) as chat:
        screen = await opened(chat)
        listed = screen.query_one(EventList)
        assert "not JSON" in shown(chat, "#odd")
        await chat.press("tab", "n")
        assert listed.current is not None
        assert listed.current.data == "{broken"
        await chat.press("f")
        await choose(chat, "arguments.delta")
        await chat.until(lambda: {row.type for row in listed._rows} == {"response.function_call_arguments.delta"})
        assert "only response.function_call_arguments.delta" in shown(chat, "#odd")


async def test_requests_are_copied_and_saved(tmp_path: Path) -> None:
    box = WireBox()
    box.stream()
    async with running_chat(backend=backend(box), data_folder=tmp_path) as chat:
        await opened(chat)
        await chat.press("t")
        await choose(chat, "copy")
        await chat.until(lambda: "sent to your terminal" in shown(chat, "#keys"))
        assert chat.app._clipboard.startswith("curl -sS -N")
        assert "$VLLM_API_KEY" in chat.app._clipboard
        await chat.press("t")
        await choose(chat, "everything")
        await chat.until(lambda: "saved as" in shown(chat, "#keys"))
        (saved,) = (tmp_path / "taken").iterdir()
        assert json.loads(saved.read_text().splitlines()[0])["format"] == "vllm-tui cassette"
        await chat.press("t")
        await choose(chat, "python")
        await chat.press("y")
        assert json.loads(chat.app._clipboard)["type"] == "response.created"


async def test_a_place_that_cannot_be_written_is_told() -> None:
    box = WireBox()
    box.stream()
    async with running_chat(backend=backend(box), data_folder=Path("/proc/nowhere")) as chat:
        await opened(chat)
        await chat.press("t")
        await choose(chat, "everything")
        await chat.until(lambda: "Nothing was written to /proc/nowhere" in shown(chat, "#keys"))


async def test_a_report_is_shown_before_it_is_written(tmp_path: Path) -> None:
    box = WireBox()
    box.stream()
    async with running_chat(backend=backend(box), data_folder=tmp_path) as chat:
        await opened(chat)
        await chat.press("b")
        await chat.until(lambda: isinstance(chat.app.screen, BundleScreen) and chat.app.screen.query(TextArea))
        text = chat.app.screen.query_one(TextArea).text
        assert "Python 3.11" in text
        assert '"kind":"request"' in text
        await chat.press("escape")
        await chat.until(lambda: isinstance(chat.app.screen, WireScreen))
        assert not (tmp_path / "taken").exists()
        await chat.press("b")
        await chat.until(lambda: isinstance(chat.app.screen, BundleScreen) and chat.app.screen.query(TextArea))
        await chat.press("f10")
        await chat.until(lambda: "saved as" in shown(chat, "#keys"))
        (saved,) = (tmp_path / "taken").iterdir()
        assert saved.name.startswith("report-")


async def test_a_request_is_sent_again_and_its_answer_is_a_new_exchange() -> None:
    box = WireBox()
    box.stream("How many?")
    async with running_chat(backend=backend(box)) as chat:
        screen = await opened(chat)
        await chat.press("r")
        await choose(chat, "as it was")
        await chat.until(lambda: screen.query_one(OptionList).option_count == 2)
        assert "again 1" in str(screen.query_one(OptionList).get_option_at_index(1).prompt)
        assert json.loads(box.again[0].body)["input"][0]["content"] == "How many?"
        await chat.press("r")
        await choose(chat, "effort low")
        await chat.until(lambda: len(box.again) == 2)
        assert json.loads(box.again[1].body)["reasoning"] == {"effort": "low"}


async def test_hostile_traffic_never_reaches_the_terminal_raw() -> None:
    box = WireBox()
    evil = "\x1b[2J\x1b]0;x\x07\u202e[bold]"
    data = json.dumps({"type": f"response.{evil}", "delta": evil}, ensure_ascii=False).encode()
    box.stream(evil, events=[(evil, data), ("", evil.encode())])
    async with running_chat(backend=backend(box)) as chat:
        screen = await opened(chat)
        listed = screen.query_one(EventList)
        texts = [listed.render_line(y).text for y in range(3)]
        for key, selector in (("2", "#body"), ("4", "#body")):
            await chat.press(key)
            texts.append(tree(chat, selector))
        await chat.press("2", "x")
        texts += [shown(chat, "#plaintext"), shown(chat, "#about"), shown(chat, "#odd")]
        for text in texts:
            assert not set(text) & set("\x1b\x07\u202e"), text


async def test_twenty_thousand_events_are_drawn_row_by_row() -> None:
    box = WireBox()
    box.stream(events=[("", b'{"type": "response.output_text.delta", "delta": "x"}')] * 20_000)
    async with running_chat(backend=backend(box)) as chat:
        screen = await opened(chat)
        await chat.press("tab", "end")
        listed = screen.query_one(EventList)
        assert listed.cursor == 19_999
        assert "19999" in listed.render_line(listed.size.height - 1).text


async def test_without_traffic_it_says_so() -> None:
    async with running_chat(backend=backend(WireBox())) as chat:
        await opened(chat)
        assert "Nothing crossed the wire yet" in shown(chat, "#empty")
        await chat.press("t", "r", "f", "y", "2", "x", "tab", "escape")
        await chat.until(lambda: chat.app.screen is chat.screen)


async def test_before_the_start_is_over_f7_says_so() -> None:
    async with running_chat() as chat:
        await chat.press("f7")
        assert "still starting" in chat.hint


async def test_a_tree_folds_and_opens_by_keys() -> None:
    box = WireBox()
    box.stream()
    async with running_chat(backend=backend(box)) as chat:
        screen = await opened(chat)
        await chat.press("2", "tab")
        body = screen.query_one("#body", JsonTree)
        await chat.until(lambda: body.has_focus)
        await chat.press("down", "left")
        folded = body.last_line
        await chat.press("right")
        await chat.until(lambda: body.last_line > folded)
