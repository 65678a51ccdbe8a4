"""What the demo says holds up: its code runs, its links are whole, its Markdown is closed."""

from __future__ import annotations

import contextlib
import io
import json
import re

import pytest
from vllm_tui.demo.answers import TOPICS, Topic, find_topic
from vllm_tui.demo.answers.general import answer_anything, think_about
from vllm_tui.demo.tokens import count_tokens, split_tokens

BLOCKS = [
    (topic, language, code)
    for topic in TOPICS
    for language, code in re.findall(r"```(\w*)\n(.*?)```", topic.text, re.DOTALL)
]
PYTHON = [(topic.name, code) for topic, language, code in BLOCKS if language == "python" and "openai" not in code]


@pytest.mark.parametrize(("name", "code"), PYTHON, ids=[name for name, _ in PYTHON])
def test_every_python_example_runs(name: str, code: str) -> None:
    names: dict[str, object] = {}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(code, name, "exec"), names)
    assert [value for key, value in names.items() if callable(value) and not key.startswith("_")] != []


def test_the_printed_figures_are_those_in_the_comments() -> None:
    code = dict(PYTHON)["sampling"]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "sampling", "exec"), {})
    assert printed.getvalue().splitlines() == [line[2:] for line in code.splitlines() if line.startswith("# ")]


def test_the_function_passes_its_own_test() -> None:
    topic = next(topic for topic in TOPICS if topic.name == "a function")
    names: dict[str, object] = {}
    for code in re.findall(r"```python\n(.*?)```", topic.text, re.DOTALL):
        exec(compile(code, "function", "exec"), names)
    test = names["test_merge_keeps_order_and_loses_nothing"]
    assert callable(test)
    test()


def test_every_json_example_is_json() -> None:
    examples = [code for _, language, code in BLOCKS if language == "json"]
    assert [type(json.loads(code)) for code in examples] == [dict] * len(examples)
    assert len(examples) >= 2


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_a_subject_is_found_by_its_name_and_is_well_formed(topic: Topic) -> None:
    assert topic.text.count("```") % 2 == 0
    assert max(len(line) for line in topic.text.splitlines()) <= 120
    assert find_topic(f"What about {topic.name}?") is not None
    assert len(topic.thoughts) >= 1
    prose = re.sub(r"```.*?```", "", topic.text, flags=re.DOTALL)
    for rows in re.findall(r"(?:^\|.*\n)+", prose, re.MULTILINE):
        assert len({row.replace("\\|", "").count("|") for row in rows.splitlines()}) == 1


@pytest.mark.parametrize(
    "text", ["", "Hello, world", "naïve 日本語 🙂\n\n  x\t1234567 antidisestablishmentarianism", "\x1b[31m\x00"]
)
def test_tokens_joined_are_the_text_again(text: str) -> None:
    assert "".join(split_tokens(text)) == text
    assert count_tokens(text) == len(split_tokens(text))


def test_reasoning_has_as_many_sentences_as_asked() -> None:
    thoughts = tuple(f"Thought {number}." for number in range(4))
    assert [len(think_about("Why?", thoughts, depth).splitlines()) for depth in (0, 1, 5, 12)] == [0, 1, 5, 12]


def test_an_answer_to_anything_stands_a_hostile_question() -> None:
    assert "(nothing)" in answer_anything("")
    assert len(answer_anything("word " * 100_000)) < 5000
