"""Makes blocks of a turn that is kept on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vllm_tui.domain.blocks import TextBlock, ThinkingBlock, ToolCallBlock
from vllm_tui.ui.transcript import notes, tool_card
from vllm_tui.ui.transcript.blocks import Block

if TYPE_CHECKING:
    from vllm_tui.domain.turns import Round, Turn
    from vllm_tui.ui.transcript.document import Document

_CHARACTERS_PER_TOKEN = 4


def fill_from_turn(document: Document, turn: Turn) -> None:
    """Add what came of the turn's question, and the notes on how it ended."""
    for entry in turn.rounds:
        if entry.continues and _continue(document, entry):
            continue
        _add_round(document, entry, is_whole=turn.status in ("completed", "truncated"))
    for text in turn.notes:
        document.add_note("info", text)
    for kind, text in notes.of_ending(turn):
        document.add_note(kind, text)


def _add_round(document: Document, entry: Round, *, is_whole: bool) -> None:
    cards: dict[str, Block] = {}
    content = entry.answer.content
    blocks = (TextBlock(text=content),) if isinstance(content, str) else content
    reasoning = [block for block in blocks if isinstance(block, ThinkingBlock)]
    for block in blocks:
        match block:
            case TextBlock(text=text):
                document.add("text", text).state = "done" if is_whole else "cut"
            case ThinkingBlock(thinking=text):
                _measure(document.add("thinking", text), entry, is_only=len(reasoning) == 1)
            case ToolCallBlock(id=call_id):
                cards[call_id] = tool_card.fill(document.add("tool_call"), block)
                cards[call_id].state = "cut"
            case _:
                pass
    for message in entry.tool_results:
        card = cards.get(message.tool_call_id or "")
        if card is not None:
            tool_card.answer(card, message, None)


def _continue(document: Document, entry: Round) -> bool:
    """Add a round that goes on in the text of the one before; False when it holds more than text."""
    content = entry.answer.content
    texts = [content] if isinstance(content, str) else [b.text for b in content if isinstance(b, TextBlock)]
    last = document.blocks[-1]
    if last.kind != "text" or len(texts) != (1 if isinstance(content, str) else len(content)):
        return False
    last.append("".join(texts))
    return True


def _measure(block: Block, entry: Round, *, is_only: bool) -> None:
    block.answered = True
    usage, timing = entry.usage, entry.timing
    if is_only and usage and usage.reasoning_tokens:
        block.tokens, block.exact = usage.reasoning_tokens, usage.source != "estimate"
    else:
        block.tokens = -(-len(block.source) // _CHARACTERS_PER_TOKEN)
    if is_only and timing.first_token is not None and timing.first_answer is not None:
        block.seconds = timing.first_answer - timing.first_token
