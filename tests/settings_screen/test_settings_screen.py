"""What a person does on the settings screen, and what comes of it."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from tests.settings_screen.screen_steps import FILE, Screen, backend_of, settings_screen
from tests.support.chat_app import running_chat
from tests.support.scripted_provider import MODEL, Pause, ScriptedBackend, ScriptedProvider, answer, deltas
from textual import events
from textual.widgets import Input, Static
from vllm_tui.domain.blocks import TextBlock
from vllm_tui.domain.checks import Check
from vllm_tui.domain.errors import ConfigurationError, InvalidRequest
from vllm_tui.domain.events import BlockStarted
from vllm_tui.settings.layers import load_settings
from vllm_tui.ui.options.editor import Editor
from vllm_tui.ui.screens.pick import PickScreen
from vllm_tui.ui.screens.review import ReviewScreen


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(FILE)
    return path


async def shown_review(screen: Screen) -> str:
    await screen.chat.until(lambda: isinstance(screen.chat.app.screen, ReviewScreen))
    return "\n".join(str(part.content) for part in screen.chat.app.screen.query(Static))


async def test_every_value_names_its_layer_and_secrets_are_masked(path: Path) -> None:
    async with settings_screen(backend_of(path, {"VLLM_TIMEOUT": "30"})) as screen:
        assert screen.row("base_url").split() == ["▸", "base_url", "http://192.168.128.5:8000/v1", "f"]
        assert screen.row("api_key").split() == ["api_key", "••••••••", "f"]
        assert screen.row("timeout").split() == ["timeout", "30.0", "s", "e"]
        assert screen.row("temperature").split() == ["temperature", "not", "sent", "d"]


async def test_the_help_tells_default_range_variable_and_what_is_sent(path: Path) -> None:
    async with settings_screen(backend_of(path), "max_tokens") as screen:
        words = " ".join(screen.help.split())
        for fact in (
            "2,048 tokens",
            "line 19",
            "4096 (default)",
            "whole number, 1 or more",
            "VLLM_MAX_TOKENS",
            "--max-tokens",
            '"max_output_tokens": 2048',
        ):
            assert fact in words


async def test_a_choice_steps_with_the_arrows_and_the_help_follows() -> None:
    async with settings_screen(backend_of(None), "truncation") as screen:
        await screen.press("right")
        assert ("disabled" in screen.row("truncation"), '"truncation": "disabled"' in screen.help) == (True, True)
        await screen.press("left")
        assert screen.row("truncation").rstrip().endswith("d")


async def test_a_bad_value_is_told_while_it_is_typed_and_never_taken() -> None:
    async with settings_screen(backend_of(None), "top_p") as screen:
        await screen.press("2", "enter")
        problem = screen.screen.query_one("#problem", Static)
        assert str(problem.content) == "It takes a number, above 0, up to 1, or null."
        await screen.press("escape")
        assert screen.screen.settings.value("top_p") is None
        assert not screen.screen.query(Editor)


async def test_values_that_contradict_each_other_are_told() -> None:
    async with settings_screen(backend_of(None), "min_retry_delay") as screen:
        await screen.press("9", "9", "enter")
        assert "contradict" in str(screen.screen.query_one("#problem", Static).content)


async def test_keys_typed_before_the_field_is_there_are_kept() -> None:
    async with settings_screen(backend_of(None), "max_tokens") as screen:
        row = screen.screen.focused
        assert row is not None
        await screen.press("1", "2", "3", "enter")
        assert screen.screen.settings.value("max_tokens") == 123


@pytest.mark.parametrize("name", ["instructions", "default_model"])
async def test_an_endless_paste_is_refused_and_the_screen_goes_on(name: str) -> None:
    async with settings_screen(backend_of(None), name) as screen:
        await screen.press("enter")
        before = screen.screen.query_one(Editor).text
        screen.chat.app.post_message(events.Paste("x" * 1_000_000))
        problem = screen.screen.query_one("#problem", Static)
        await screen.chat.until(lambda: "1,000,000 characters are more" in str(problem.content))
        assert screen.screen.query_one(Editor).text == before


async def test_an_empty_field_means_not_set_where_that_is_allowed(path: Path) -> None:
    backend = backend_of(path, {"VLLM_TEMPERATURE": "0.5"})
    async with settings_screen(backend, "temperature") as screen:
        await screen.press("enter", "ctrl+u", "enter")
        await screen.chat.until(lambda: screen.screen.settings.origin("temperature").layer == "session")
        assert screen.screen.settings.value("temperature") is None


async def test_reset_falls_back_layer_by_layer(path: Path) -> None:
    async with settings_screen(backend_of(path, {"VLLM_MAX_TOKENS": "9"}), "max_tokens") as screen:
        values = [screen.screen.settings.value("max_tokens")]
        for _ in range(3):
            await screen.press("backspace")
            values.append(screen.screen.settings.value("max_tokens"))
        assert values == [9, 2048, 4096, 4096]


async def test_all_options_fall_back_at_once(path: Path) -> None:
    backend = backend_of(path, {"VLLM_MIN_RETRY_DELAY": "90", "VLLM_MAX_RETRY_DELAY": "95"})
    async with settings_screen(backend) as screen:
        await screen.press("R")
        settings = screen.screen.settings
        assert {settings.origin(name).layer for name in ("base_url", "theme", "min_retry_delay")} == {"default"}


async def test_the_search_narrows_and_escape_brings_all_back() -> None:
    async with settings_screen(backend_of(None)) as screen:
        whole = screen.names
        await screen.press("slash", *"retry")
        assert screen.names == ["min_retry_delay", "max_retry_delay", "retry_jitter"]
        await screen.press("enter")
        assert screen.row("min_retry_delay").startswith("▸")
        await screen.press("escape")
        assert screen.names == whole


async def test_a_search_goes_to_the_option_of_that_name_first() -> None:
    async with settings_screen(backend_of(None)) as screen:
        await screen.press("slash", *"reasoning", "enter")
        assert screen.row("reasoning").startswith("▸")
        assert "max_tokens" in screen.names


async def test_a_search_without_a_match_says_so_and_harms_nothing() -> None:
    async with settings_screen(backend_of(None)) as screen:
        await screen.press("slash", *"zzz", "enter", "escape")
        assert len(screen.names) > 40
        assert screen.row("base_url").startswith("▸")


async def test_groups_are_walked_with_brackets() -> None:
    async with settings_screen(backend_of(None)) as screen:
        await screen.press("right_square_bracket")
        assert screen.row("default_model").startswith("▸")
        await screen.press("left_square_bracket", "left_square_bracket")
        assert screen.row("theme").startswith("▸")


async def test_saving_shows_the_difference_first_and_writes_the_profile(path: Path) -> None:
    backend = backend_of(path, {"VLLM_TIMEOUT": "30"})
    async with settings_screen(backend, "temperature") as screen:
        await screen.press("0", "enter", "f10")
        review = await shown_review(screen)
        assert ("+temperature = 0.0" in review, "Comments in the file do not survive" in review) == (True, True)
        assert "sk-canary" not in review
        await screen.press("enter")
        await screen.until_closed()
        assert tomllib.loads(path.read_text())["providers"][1]["config"]["temperature"] == 0.0
        assert backend.settings.origin("temperature").layer == "file"
        assert screen.chat.hint == f"saved to {path}"


async def test_what_the_environment_hides_is_said_before_saving(path: Path) -> None:
    async with settings_screen(backend_of(path, {"VLLM_TIMEOUT": "30"}), "timeout") as screen:
        await screen.press("9", "enter", "f10")
        assert "timeout is also set by VLLM_TIMEOUT" in await shown_review(screen)


async def test_changes_can_be_kept_for_the_session_only(path: Path) -> None:
    backend = backend_of(path)
    async with settings_screen(backend, "temperature") as screen:
        await screen.press("1", "enter", "escape")
        await shown_review(screen)
        await screen.press("k")
        await screen.until_closed()
    assert (path.read_text(), backend.settings.value("temperature")) == (FILE, 1.0)


async def test_changes_can_be_discarded(path: Path) -> None:
    backend = backend_of(path)
    async with settings_screen(backend, "temperature") as screen:
        await screen.press("1", "enter", "escape")
        await shown_review(screen)
        await screen.press("d")
        await screen.until_closed()
    assert (path.read_text(), backend.settings.value("temperature"), backend.used) == (FILE, None, [])


async def test_escape_without_a_change_leaves_at_once() -> None:
    backend = backend_of(None)
    async with settings_screen(backend) as screen:
        await screen.press("escape")
        await screen.until_closed()
    assert backend.used == []


async def test_a_new_profile_is_a_copy_with_the_changes(path: Path) -> None:
    backend = backend_of(path)
    async with settings_screen(backend, "max_tokens") as screen:
        await screen.press("7", "enter", "f10")
        await shown_review(screen)
        await screen.press("n", *"test", "enter")
        await screen.until_closed()
    profiles = {item["instance_id"]: item["config"] for item in tomllib.loads(path.read_text())["providers"]}
    assert profiles["test"] == {**profiles["gpu-box"], "max_tokens": 7}
    assert backend.settings.profile == "test"


async def test_a_conflict_with_another_program_keeps_the_changes_on_screen(path: Path) -> None:
    backend = backend_of(path)
    async with settings_screen(backend, "max_tokens") as screen:
        await screen.press("7", "enter")
        path.write_text(FILE.replace("2048", "4000"))
        await screen.press("f10")
        await shown_review(screen)
        await screen.press("enter")
        await screen.chat.until(lambda: "changed by another program" in screen.foot)
        assert screen.screen.settings.value("max_tokens") == 7
        await screen.press("f10")
        assert "-max_tokens = 4000" in await shown_review(screen)
        await screen.press("enter")
        await screen.until_closed()
    assert "max_tokens = 7" in path.read_text()


async def test_a_file_broken_meanwhile_is_told_and_the_last_good_settings_hold(path: Path) -> None:
    backend = backend_of(path)
    path.write_text("theme = \n")
    async with settings_screen(backend) as screen:
        await screen.chat.until(lambda: "not valid TOML" in screen.foot)
        assert f"{path}" in screen.foot
        assert "line 1" in screen.foot
        assert "gpu-box" in str(screen.screen.query_one("#title", Static).content)


async def test_a_save_that_fails_is_told_and_nothing_is_lost(path: Path) -> None:
    backend = backend_of(path)
    backend.save_error = ConfigurationError("config.toml can't be written: No space left on device.")
    async with settings_screen(backend, "max_tokens") as screen:
        await screen.press("7", "enter", "f10")
        await shown_review(screen)
        await screen.press("enter")
        await screen.chat.until(lambda: "No space left" in screen.foot)
        assert screen.screen.settings.value("max_tokens") == 7


async def test_a_secret_is_typed_unseen_and_an_empty_field_keeps_it(path: Path) -> None:
    async with settings_screen(backend_of(path), "api_key") as screen:
        await screen.press("enter")
        field = screen.screen.query_one("Editor Input", Input)
        assert (field.password, field.value) == (True, "")
        await screen.press("enter")
        assert screen.screen.settings.value("api_key") == "sk-canary"
        await screen.press("enter", *"new", "enter")
        await screen.chat.until(lambda: screen.screen.settings.value("api_key") == "new")
        shown = screen.row("api_key") + screen.help
        assert ("new" in shown.replace("new key", ""), "sk-canary" in shown) == (False, False)


async def test_a_reference_is_kept_as_it_is_written(path: Path) -> None:
    backend = backend_of(path, {"BOX": "http://real:1/v1"})
    async with settings_screen(backend, "base_url") as screen:
        await screen.press("enter", "ctrl+u")
        screen.screen.query_one("Editor Input", Input).insert_text_at_cursor("${BOX}")
        await screen.press("enter", "f10")
        assert '+base_url = "${BOX}"' in await shown_review(screen)
        await screen.press("enter")
        await screen.until_closed()
    assert backend.settings.value("base_url") == "http://real:1/v1"


async def test_a_test_of_the_server_shows_each_check(path: Path) -> None:
    backend = backend_of(path)
    backend.checks = (
        Check("resolve", "ok", "gpu-box is 10.0.0.2", 0.002),
        Check("connect", "fail", "gpu-box:8000 refuses connections", 0.001, "Is the server running?"),
    )
    async with settings_screen(backend) as screen:
        await screen.press("t")
        await screen.chat.until(lambda: "refuses connections" in screen.checks)
        assert "→ Is the server running?" in screen.checks
        assert "✗ connect" in screen.checks
        assert screen.row("base_url").rstrip().endswith("!  f")


async def test_the_server_judges_what_it_was_heard_to_say(path: Path) -> None:
    small = MODEL.model_copy(update={"context_window": 4096, "context_window_source": "max_model_len"})
    backend = backend_of(None, {"VLLM_CONTEXT_WINDOW": "200000"}, provider=ScriptedProvider(models=[small]))
    async with settings_screen(backend, "context_window") as screen:
        assert "! The server says 4,096; 4,096 will be used." in screen.help
        await screen.press("up", "up")


async def test_an_effort_that_was_refused_is_judged() -> None:
    refusal = InvalidRequest("Only low, medium and high.")
    refusal.supported = ("low", "medium", "high")
    backend = ScriptedBackend(ScriptedProvider([refusal]))
    async with running_chat(backend=backend, effort="minimal") as chat:
        await chat.opened()
        await chat.ask()
        screen = Screen(chat)
        await screen.open("reasoning")
        await screen.press("right", "right")
        assert "! minimal: refused by this model; it takes low, medium, high." in screen.help


async def test_a_running_answer_is_not_disturbed(path: Path) -> None:
    pause = Pause()
    script = [BlockStarted(0, "text"), *deltas(0, "text", "Half an"), pause, *answer("Half an answer")[1:]]
    backend = backend_of(path, provider=ScriptedProvider(script))
    async with running_chat(backend=backend) as chat:
        await chat.opened()
        await chat.send("hello")
        await pause.reached.wait()
        screen = Screen(chat)
        await screen.open("temperature")
        await screen.press("0", "enter", "f10")
        await shown_review(screen)
        await screen.press("k")
        await screen.until_closed()
        assert chat.screen.show.is_running
        pause.open()
        await chat.until(lambda: not chat.screen.show.is_running)
        block = backend.kept.turns.popitem()[1].rounds[0].answer.content[0]
        assert isinstance(block, TextBlock)
        assert block.text == "Half an answer"


async def test_a_profile_is_chosen_from_the_chat_and_from_the_screen(path: Path) -> None:
    backend = backend_of(path)
    async with settings_screen(backend) as screen:
        await screen.press("p")
        await screen.chat.until(lambda: isinstance(screen.chat.app.screen, PickScreen))
        await screen.press(*"lab", "enter")
        await screen.chat.until(lambda: screen.screen.settings.profile == "lab")
        await screen.press("escape")
        await screen.until_closed()
        assert "lab:8000" in screen.chat.top
        await screen.chat.send("/profile gpu-box")
        await screen.chat.until(lambda: "192.168.128.5:8000" in screen.chat.top)
    assert backend.settings.profile == "gpu-box"


async def test_a_change_made_with_a_key_is_a_setting_of_the_session() -> None:
    backend = backend_of(None)
    async with running_chat(backend=backend) as chat:
        await chat.opened()
        await chat.press("ctrl+r", "ctrl+r")
        assert (backend.settings.value("reasoning"), backend.settings.origin("reasoning").layer) == ("low", "session")
        screen = Screen(chat)
        await screen.open("reasoning")
        assert screen.row("reasoning").rstrip().endswith("s")


async def test_everything_can_be_reached_at_80_columns() -> None:
    async with settings_screen(backend_of(None), size=(80, 24)) as screen:
        await screen.press("end")
        assert screen.row("retention_days").startswith("▸")
        row = screen.screen.focused
        assert row is not None
        await screen.chat.until(lambda: row.region.bottom <= 24 and row.region.height == 1)


async def test_load_settings_agrees_with_what_was_saved(path: Path) -> None:
    async with settings_screen(backend_of(path), "seed") as screen:
        await screen.press("4", "enter", "f10")
        await shown_review(screen)
        await screen.press("enter")
        await screen.until_closed()
    loaded = load_settings({}, {}, path)
    assert (loaded.value("seed"), loaded.origin("seed").layer, loaded.profile) == (4, "file", "gpu-box")
