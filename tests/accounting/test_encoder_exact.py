"""Our tokens are those of openai-harmony and tiktoken, and tools are written as the library writes them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from vllm_tui.accounting.encoder import SPECIAL_TOKENS, Encoder, load_encoder
from vllm_tui.accounting.tool_text import tools_section
from vllm_tui.accounting.vocabulary import O200K, VocabularyUnusable

if TYPE_CHECKING:
    from openai_harmony import HarmonyEncoding

# Letters of Unicode 17 and later are unknown to the library's tables and cut differently; all else is the same.
PLAIN = st.text(st.sampled_from("aBcZé ßǅ日本🎉\u0301\u2028\u00a0'sStT1234५ \t\r\n/._-#<|>=(){}[]\"\\"), max_size=40)
ASSIGNED = st.text(st.characters(codec="utf-8", max_codepoint=0x2FFFF, exclude_categories=["Cn", "Cs"]), max_size=12)


@settings(deadline=None, max_examples=400)
@given(text=PLAIN)
@example(text="I'LL don't  HTTPServer\r\n\r\n  x 1234567 /a//b\n/")
@example(text="<|start|> <|end|>")
@example(text="   \n \n\t x")
def test_text_has_the_librarys_tokens(text: str, encoder: Encoder, library: HarmonyEncoding) -> None:
    tokens = encoder.encode(text)
    assert tokens == library.encode(text, disallowed_special=())
    assert encoder.decode(tokens) == text


@settings(deadline=None, max_examples=150)
@given(text=ASSIGNED)
def test_any_text_comes_back_from_its_tokens(text: str, encoder: Encoder) -> None:
    assert encoder.decode(encoder.encode(text)) == text


def test_tiktoken_agrees_on_real_text(encoder: Encoder, vocabulary_file: Path) -> None:
    import tiktoken
    from tiktoken.load import load_tiktoken_bpe

    pattern = "|".join(
        (
            r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
            r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
            r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        )
    )
    ranks = load_tiktoken_bpe(str(vocabulary_file))
    judge = tiktoken.Encoding("o200k", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
    for path in sorted((Path(__file__).parent).glob("*.py")):
        text = path.read_text()
        assert encoder.encode(text) == judge.encode_ordinary(text)


def test_markers_are_read_only_when_asked_for(encoder: Encoder, library: HarmonyEncoding) -> None:
    text = "<|channel|>analysis<|message|>Hm <|x|> <|return|>"
    assert encoder.encode_marked(text) == library.encode(text, allowed_special="all")
    assert not set(encoder.encode(text)) & set(SPECIAL_TOKENS.values())


def test_the_markers_have_the_librarys_ids(library: HarmonyEncoding) -> None:
    found = {name: library.encode(name, allowed_special="all")[0] for name in SPECIAL_TOKENS}
    assert found == SPECIAL_TOKENS


def test_lone_surrogates_count_as_question_marks(encoder: Encoder) -> None:
    assert encoder.encode("a\ud800b") == encoder.encode("a?b")


@pytest.mark.parametrize("letters", ["a", "日", "=", " ", "aB"])
def test_a_long_run_without_a_break_is_exact_and_quick(
    letters: str, encoder: Encoder, library: HarmonyEncoding
) -> None:
    text = letters * 10_000
    begun = time.process_time()
    tokens = encoder.encode(text)
    assert time.process_time() - begun < 3
    assert tokens == library.encode(text, disallowed_special=())


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(VocabularyUnusable, match="No such file"):
        load_encoder(tmp_path)
    (tmp_path / O200K.file_name).write_text("!!! not base64\n")
    with pytest.raises(VocabularyUnusable):
        load_encoder(tmp_path)


WORDS = st.sampled_from(["a", "b c", "l1\nl2", "", "ü", "x\r\ny", "t\n", '"q"', "// c", "# Tools\n\n", "null"])
NAMES = st.sampled_from(["a", "b", "c d", "é", "x-y"])
KINDS = st.sampled_from(
    ["string", "number", "integer", "boolean", "null", "array", "object", "any", ["string", "null"], ["object"], [], 5]
)
VALUES: st.SearchStrategy[Any] = st.sampled_from([1, "a", None, True, [1, "ü"], {"x": 1, "a": []}, 1.5, "", 1e22, 1e-7])


def schemas(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries(
        {},
        optional={
            "type": KINDS,
            "description": WORDS | st.none(),
            "title": WORDS,
            "default": VALUES,
            "enum": st.lists(WORDS | st.integers(0, 3), max_size=3),
            "examples": st.lists(WORDS | st.integers(0, 3), max_size=2),
            "nullable": st.booleans(),
            "properties": st.dictionaries(NAMES, inner, max_size=3),
            "required": st.lists(NAMES, max_size=2),
            "items": inner,
            "oneOf": st.lists(inner, max_size=3),
            "anyOf": st.lists(inner, max_size=1),
        },
    )


SCHEMAS = st.recursive(st.fixed_dictionaries({}, optional={"type": KINDS, "description": WORDS}), schemas, max_leaves=8)
TOOLS = st.fixed_dictionaries(
    {"name": NAMES, "description": WORDS, "parameters": st.none() | SCHEMAS.filter(lambda s: isinstance(s, dict))}
)


@settings(deadline=None, max_examples=500)
@given(tools=st.lists(TOOLS, max_size=2), description=st.none() | WORDS)
def test_tools_are_written_as_the_library_writes_them(
    tools: list[dict[str, Any]], description: str | None, library: HarmonyEncoding
) -> None:
    from openai_harmony import DeveloperContent, Message, Role, ToolDescription, ToolNamespaceConfig

    described = [ToolDescription.new(**tool) for tool in tools]
    space = ToolNamespaceConfig(name="functions", description=description, tools=described)
    message = Message.from_role_and_content(Role.DEVELOPER, DeveloperContent.new().with_tools(space))
    expected = library.decode(library.render(message)[3:-1])
    assert tools_section([("functions", description, tools)]) == expected
