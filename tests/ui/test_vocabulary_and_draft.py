"""How the vocabulary stands is shown while it changes, and a draft that leaves no room is told before it is sent."""

from __future__ import annotations

import pytest
from tests.support.chat_app import running_chat
from tests.support.scripted_provider import ScriptedBackend, ScriptedProvider
from vllm_tui.ui.draft_room import room_words
from vllm_tui.ui.launch import VocabularyStand


async def test_the_download_is_shown_and_followed_until_it_is_done() -> None:
    backend = ScriptedBackend(ScriptedProvider(), stand=VocabularyStand("estimates; /vocab fetches 3.6 MB"))
    async with running_chat(backend=backend) as chat:
        await chat.opened()
        await chat.until(lambda: "/vocab fetches" in chat.sidebar)
        await chat.send("/vocab")
        await chat.until(lambda: "downloading 42 %" in chat.sidebar)
        assert chat.hint == "fetching"
        backend.stand = VocabularyStand("vocabulary: downloading 43 %", is_changing=True)
        chat.screen.vocabulary.look("openai/gpt-oss-20b")
        backend.stand = VocabularyStand()
        await chat.until(lambda: "vocabulary" not in chat.sidebar)


async def test_a_pasted_text_that_can_not_fit_is_told_before_it_is_sent() -> None:
    async with running_chat() as chat:
        await chat.opened()
        chat.prompt.insert_typed("word " * 120_000)
        await chat.until(lambda: "it does not fit, shorten it" in chat.hint)
        chat.prompt.text = ""
        await chat.until(lambda: chat.hint == "")
        assert chat.requests == []


@pytest.mark.parametrize(
    ("used", "characters", "drops", "words"),
    [
        (None, 100, True, ""),
        (500, 100, True, ""),
        (900, 100, True, "about 928 of 1,000 tokens with this text (28 of them): little room is left for the answer"),
        (900, 720, True, "about 1,100 of 1,000 tokens with this text (200 of them): the oldest turns will be left out"),
        (900, 720, False, "about 1,100 of 1,000 tokens with this text (200 of them): start a new conversation, ^N"),
        (None, 7200, True, "about 2,000 of 1,000 tokens with this text (2,000 of them): it does not fit, shorten it"),
        (900, 0, True, ""),
    ],
)
def test_the_warning_names_the_numbers_and_what_happens(
    used: int | None, characters: int, drops: bool, words: str
) -> None:
    assert room_words(used, 1000, characters, drops_turns=drops) == words


def test_nothing_is_said_of_an_unknown_window() -> None:
    assert room_words(10, None, 1_000_000, drops_turns=True) == ""
