"""The pure parts of the prompt: commands, pastes, history."""

from __future__ import annotations

import pytest
from vllm_tui.ui.actions import ACTIONS, SlashCommand, action_for_slash, bound_actions, read_prompt
from vllm_tui.ui.palette import palette_choices
from vllm_tui.ui.pastes import TOKEN_LIMIT, Pastes
from vllm_tui.ui.prompt_history import Draft, PromptHistory
from vllm_tui.ui.screens.chat import ChatScreen
from vllm_tui.ui.screens.pick import Choice, matching

FORBIDDEN = {"ctrl+a", "ctrl+b", "ctrl+s", "ctrl+z", "ctrl+h", "ctrl+i", "ctrl+m", "ctrl+left_square_bracket", "f11"}


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("hello", "hello"),
        ("/help", SlashCommand("help", "")),
        ("  /Effort  high ", SlashCommand("effort", "high")),
        ("/model openai/gpt-oss-20b", SlashCommand("model", "openai/gpt-oss-20b")),
        ("//etc/hosts is wrong", "/etc/hosts is wrong"),
        ("/etc/hosts is wrong", "/etc/hosts is wrong"),
        ("/help\nme", "/help\nme"),
        ("/", "/"),
        ("a /help", "a /help"),
    ],
)
def test_a_prompt_is_a_command_or_a_text(text: str, meaning: SlashCommand | str) -> None:
    assert read_prompt(text) == meaning


def test_every_action_has_a_method_and_a_slash_command() -> None:
    for action in ACTIONS:
        if action.name:
            assert callable(getattr(ChatScreen, f"action_{action.name}"))
            assert action.slash or action.name == "interrupt"


def test_slash_commands_and_keys_are_unique_and_none_is_forbidden() -> None:
    words = [action.slash for action in ACTIONS if action.slash]
    keys = [action.keys for action in bound_actions()]
    assert (len(words), len(keys)) == (len(set(words)), len(set(keys)))
    assert not FORBIDDEN & set(keys)
    assert [action_for_slash(word) for word in words] == [action for action in ACTIONS if action.slash]
    assert action_for_slash("nonsense") is None


def test_the_palette_lists_every_action_but_itself() -> None:
    listed = {choice.value for choice in palette_choices(())}
    named = {f"action:{action.name}" for action in ACTIONS if action.name}
    assert named - listed == {"action:palette", "action:interrupt", "action:cancel"}


def test_a_short_clean_paste_is_itself() -> None:
    assert Pastes().take("two\r\nlines\rmore") == "two\nlines\nmore"


def test_a_long_paste_becomes_a_token_and_comes_back() -> None:
    pastes = Pastes()
    long = "x" * (TOKEN_LIMIT + 204)
    token = pastes.take(long)
    assert token == "[Pasted 1,204 characters]"
    assert pastes.expand(f"see {token}!") == f"see {long}!"
    assert pastes.used_in(f"see {token}!") == ((token, long),)


def test_two_pastes_of_one_length_keep_apart() -> None:
    pastes = Pastes()
    first, second = pastes.take("a" * 2000), pastes.take("b" * 2000)
    assert (first, second) == ("[Pasted 2,000 characters]", "[Pasted 2,000 characters #2]")
    assert pastes.expand(first + second) == "a" * 2000 + "b" * 2000
    assert pastes.take("a" * 2000) == first


def test_a_paste_with_control_codes_is_hidden_behind_a_token_and_sent_as_it_was() -> None:
    pastes = Pastes()
    token = pastes.take("\x1b[31mred")
    assert (token, pastes.expand(token)) == ("[Pasted 8 characters]", "\x1b[31mred")


def test_a_token_that_was_typed_by_hand_stays() -> None:
    assert Pastes().expand("[Pasted 9 characters]") == "[Pasted 9 characters]"


def test_the_token_before_the_cursor_is_found() -> None:
    pastes = Pastes()
    token = pastes.take("x" * 5000)
    assert pastes.token_before(f"a {token}", len(token) + 2) == len(token)
    assert pastes.token_before(f"a {token}", 3) == 0


def test_history_walks_back_and_forth_and_keeps_the_unsent_draft() -> None:
    history = PromptHistory()
    history.load(["one", "two"])
    unsent = Draft("three")
    assert [history.earlier(unsent), history.earlier(Draft("two")), history.earlier(Draft("one"))] == [
        Draft("two"),
        Draft("one"),
        None,
    ]
    assert [history.later(), history.later(), history.later()] == [Draft("two"), unsent, None]


def test_history_keeps_a_repeated_question_once_and_no_blank_one() -> None:
    history = PromptHistory()
    for text in ("one", "one", "  ", "two"):
        history.add(Draft(text))
    assert history.entries == [Draft("one"), Draft("two")]


def test_an_edited_prompt_starts_from_the_newest_entry_again() -> None:
    history = PromptHistory()
    history.load(["one", "two"])
    history.earlier(Draft(""))
    history.earlier(Draft("two"))
    history.forget_place()
    assert history.earlier(Draft("one, edited")) == Draft("two")


def test_choices_are_narrowed_by_every_word() -> None:
    choices = [Choice("1", "Choose the model", "^O"), Choice("2", "Model card"), Choice("3", "Quit")]
    assert matching(choices, "model") == [choices[1], choices[0]]
    assert matching(choices, "mod ^o") == [choices[0]]
    assert matching(choices, "") == choices
