"""Maps turns to rows and back: text in plain columns, everything else as JSON beside it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from vllm_tui.domain.blocks import Block, TextBlock, ThinkingBlock, ToolCallBlock
from vllm_tui.domain.errors import StorageError
from vllm_tui.domain.hygiene import without_surrogates
from vllm_tui.domain.turns import Round, Turn
from vllm_tui.domain.values import JsonObject

TITLE_LENGTH = 80
_OWN_COLUMNS = {"id", "conversation_id", "parent_id", "status", "created", "rounds"}


class BlockRow(NamedTuple):
    """One block, or one piece of it: `text` can grow, `data` holds what is not text."""

    kind: str
    text: str
    data: str


class TurnRow(NamedTuple):
    """The columns of a turn that are not in its JSON."""

    id: str
    conversation_id: str
    parent_id: str | None
    status: str
    created: float
    question: str
    data: str


def title_of(turn: Turn) -> str:
    """Return the first line of the question that says something, shortened."""
    lines = (line.strip() for line in turn.question.text.splitlines())
    title = without_surrogates(next((line for line in lines if line), ""))
    return title if len(title) <= TITLE_LENGTH else title[: TITLE_LENGTH - 1] + "…"


def turn_row(turn: Turn) -> TurnRow:
    """Return the row of a turn; a plain question is its own column, a question of blocks stays JSON."""
    data = turn.model_dump(exclude=_OWN_COLUMNS)
    question = turn.question.text
    if isinstance(turn.question.content, str):
        data["question"].pop("content")
    return TurnRow(
        turn.id,
        turn.conversation_id,
        turn.parent_id,
        turn.status,
        turn.created,
        without_surrogates(question),
        json.dumps(data),
    )


def round_data(entry: Round) -> str:
    """Return what a round holds beside its blocks, as JSON."""
    answer = entry.answer.model_dump(exclude={"content"})
    rest = entry.model_dump(exclude={"answer"})
    return json.dumps({**rest, "answer": answer, "plain": isinstance(entry.answer.content, str)})


def block_rows(entry: Round) -> tuple[BlockRow, ...]:
    """Return a row for each block of the answer, in order."""
    content = entry.answer.content
    if isinstance(content, str):
        return (BlockRow("text", without_surrogates(content), "{}"),)
    return tuple(_block_row(block) for block in content)


def _block_row(block: Block) -> BlockRow:
    match block:
        case TextBlock(text=text):
            return BlockRow("text", without_surrogates(text), "{}")
        case ThinkingBlock(thinking=thinking):
            return BlockRow("thinking", without_surrogates(thinking), "{}")
        case ToolCallBlock(raw_arguments=raw) if raw is not None:
            data = block.model_dump(exclude={"type", "raw_arguments"}, exclude_defaults=True)
            if block.input == raw:
                data["input"] = None
            return BlockRow("tool_call", without_surrogates(raw), json.dumps(data))
        case _:
            return BlockRow("other", "", json.dumps(block.model_dump()))


def read_turn(row: TurnRow, rounds: Iterable[tuple[str, Sequence[BlockRow]]]) -> Turn:
    """Return the turn of a row and its rounds; StorageError when this program can't read it."""
    try:
        data = json.loads(row.data)
        data["question"].setdefault("content", row.question)
        own = {name: getattr(row, name) for name in ("id", "conversation_id", "parent_id", "status", "created")}
        return Turn.model_validate({**data, **own, "rounds": [_read_round(*entry) for entry in rounds]})
    except (ValueError, KeyError, TypeError) as problem:
        raise StorageError(
            f"A turn of conversation {row.conversation_id} can't be read.",
            hint="It may come from a newer vllm-tui: update, or delete the conversation.",
            detail=str(problem)[:500],
        ) from problem


def _read_round(data: str, blocks: Sequence[BlockRow]) -> JsonObject:
    entry: JsonObject = json.loads(data)
    answer = entry["answer"]
    if not isinstance(answer, dict):
        raise ValueError("a round without an answer")
    if entry.pop("plain"):
        answer["content"] = blocks[0].text
    else:
        answer["content"] = [_read_block(block) for block in blocks]
    return entry


def _read_block(row: BlockRow) -> JsonObject:
    data: JsonObject = json.loads(row.data)
    match row.kind:
        case "text":
            return {"type": "text", "text": row.text}
        case "thinking":
            return {"type": "thinking", "thinking": row.text}
        case "tool_call":
            if "input" in data and data["input"] is None:
                data["input"] = row.text
            return {"type": "tool_call", "raw_arguments": row.text, **data}
        case _:
            return data
