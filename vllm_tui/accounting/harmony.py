"""Renders a request for gpt-oss token by token, as vLLM does, and counts it by part."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from vllm_tui.accounting.encoder import SPECIAL_TOKENS, Encoder
from vllm_tui.accounting.figures import Part
from vllm_tui.accounting.harmony_answers import items_as_answered
from vllm_tui.accounting.harmony_messages import drop_reasoning, request_messages
from vllm_tui.accounting.harmony_types import (
    BUILT_IN,
    CONSTRAIN,
    RAW,
    DeveloperText,
    Exchange,
    HarmonyMessage,
    PartName,
    ServerFacts,
    SystemText,
)
from vllm_tui.accounting.tool_text import tools_section
from vllm_tui.domain.values import JsonObject, JsonValue

KNOWLEDGE_CUTOFF = "2024-06"
CHANNELS = ("analysis", "commentary", "final")
_CALLS_LINE = "\nCalls to these tools must go to the commentary channel: 'functions'."
_START, _END, _MESSAGE, _CHANNEL, _CONSTRAIN, _CALL = (
    SPECIAL_TOKENS[f"<|{name}|>"] for name in ("start", "end", "message", "channel", "constrain", "call")
)


@dataclass(frozen=True, slots=True)
class PromptSlice:
    """Tokens in a row that belong to one part of the prompt."""

    part: PartName
    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class HarmonyPrompt:
    """The whole prompt in slices; `assumptions` are sentences on what the server did not say."""

    slices: tuple[PromptSlice, ...]
    assumptions: tuple[str, ...]

    @property
    def count(self) -> int:
        """Return the number of tokens."""
        return sum(len(entry.tokens) for entry in self.slices)

    @property
    def tokens(self) -> list[int]:
        """Return all token ids in order."""
        return [token for entry in self.slices for token in entry.tokens]

    @property
    def parts(self) -> tuple[Part, ...]:
        """Return tokens by part, in the order the parts first appear."""
        counts: dict[str, int] = {}
        for entry in self.slices:
            counts[entry.part] = counts.get(entry.part, 0) + len(entry.tokens)
        return tuple(Part(name, tokens) for name, tokens in counts.items())


@dataclass(frozen=True, slots=True)
class OutputCount:
    """Tokens of an answer: all, and the share vLLM reports as reasoning (content of analysis and of calls)."""

    total: int
    reasoning: int
    parts: tuple[Part, ...]


class HarmonyRenderer:
    """Turns requests and answers into tokens."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder

    def render_request(
        self,
        body: Mapping[str, JsonValue],
        facts: ServerFacts | None = None,
        earlier: Mapping[str, Exchange] | None = None,
    ) -> HarmonyPrompt:
        """Return the prompt of a Responses request body. Raises NotRenderable.

        Without `facts` the server is taken as a plain one with today's date.
        """
        known = facts or ServerFacts(date.today().isoformat())  # noqa: DTZ011 - vLLM uses its local date
        messages = request_messages(body, known, earlier)
        return HarmonyPrompt(tuple(self._slices(messages)), assumptions_of(body, known, is_given=facts is not None))

    def render_messages(self, messages: Sequence[HarmonyMessage]) -> HarmonyPrompt:
        """Return the prompt made of ready messages."""
        return HarmonyPrompt(tuple(self._slices(messages)), ())

    def count_output(self, items: Sequence[JsonObject], *, is_complete: bool = True) -> OutputCount:
        """Return the tokens a model spent on these output items, markers included.

        `is_complete` is False when the answer was cut at its limit: then the closing marker is missing.
        """
        return self.count_answer(items_as_answered(items), is_complete=is_complete)

    def count_answer(self, messages: Sequence[HarmonyMessage], *, is_complete: bool = True) -> OutputCount:
        """Return the tokens of an answer given as messages."""
        counts: dict[str, int] = {}
        reasoning = 0
        for number, message in enumerate(messages):
            is_last = number == len(messages) - 1
            is_later = number > 0 and not _is_built_in_call(messages[number - 1])
            header, body, end = self._answer_tokens(message, is_later, is_complete or not is_last, is_last)
            part = "answer" if message.part == "history" else message.part
            counts[part] = counts.get(part, 0) + header + body + end
            if message.channel == "analysis" or message.recipient is not None:
                reasoning += body
        return OutputCount(sum(counts.values()), reasoning, tuple(Part(*entry) for entry in counts.items()))

    def count_rounds(
        self, prompt: Sequence[HarmonyMessage], answered: Sequence[HarmonyMessage]
    ) -> tuple[tuple[int, int], ...]:
        """Return input and output tokens of every round of a response in which the server ran tools itself."""
        rounds: list[tuple[int, int]] = []
        begin = 0
        for index in range(len(answered) + 1):
            is_end = index == len(answered)
            if not is_end and answered[index].role != "tool":
                continue
            if index > begin:
                before = drop_reasoning([*prompt, *answered[:begin]])
                output = self.count_answer(answered[begin:index])
                rounds.append((self.render_messages(before).count, output.total))
            begin = index + 1
        return tuple(rounds)

    def _answer_tokens(
        self, message: HarmonyMessage, is_later: bool, is_closed: bool, is_last: bool
    ) -> tuple[int, int, int]:
        """Return the tokens of header, content and closing markers as the model writes them."""
        if message.role == RAW:
            text = "".join(_texts(message))
            return 0, len(self._encoder.encode_marked(text)), 0
        header = 2 * is_later  # <|start|>assistant; the first one belongs to the prompt
        body = sum(len(self._encoder.encode(text)) for text in _texts(message))
        # Reasoning closes with <|end|>, at which generation goes on until a stop token.
        end = is_closed + (is_closed and is_last and message.channel == "analysis" and message.recipient is None)
        return header + len(self._answer_header(message)), body, end

    def _answer_header(self, message: HarmonyMessage) -> list[int]:
        """Return the header as the model writes it: the recipient follows the channel."""
        text = message.channel or ""
        if message.recipient is not None:
            text += f" to={message.recipient}"
        kind = message.content_type or ""
        constrained = kind.removeprefix(CONSTRAIN) if kind.startswith(CONSTRAIN) else ""
        if kind and not constrained:
            text += f" {kind}"
        tokens = [_CHANNEL, *self._encoder.encode(text), *self._constrained(constrained)]
        return [*tokens, _MESSAGE]

    def _slices(self, messages: Sequence[HarmonyMessage]) -> Iterable[PromptSlice]:
        has_functions = any(isinstance(m.content, DeveloperText) and m.content.functions for m in messages)
        for message in messages:
            yield from self._message_slices(message, has_functions)
        yield PromptSlice("opening", (_START, *self._encoder.encode("assistant")))

    def _message_slices(self, message: HarmonyMessage, has_functions: bool) -> Iterable[PromptSlice]:
        header = (_START, *self._header(message), _MESSAGE)
        is_call = message.recipient is not None and message.role == "assistant"
        end = _CALL if is_call else _END
        match message.content:
            case SystemText():
                yield from self._structured(message.part, header, _system_text(message.content, has_functions), end)
            case DeveloperText():
                first: PartName = message.part if message.content.instructions else "tools"
                yield from self._structured(first, header, _developer_text(message.content), end)
            case texts:
                body = [token for text in texts for token in self._encoder.encode(text)]
                yield PromptSlice(message.part, (*header, *body, end))

    def _header(self, message: HarmonyMessage) -> list[int]:
        """Return the header between <|start|> and <|message|>.

        vLLM 0.32 renders with oss-harmony 0.0.11 and then rewrites the header of a typed call on the commentary
        channel to the form gpt-oss was trained on.
        """
        author = message.role if message.role != "tool" else str(message.name)
        recipient = "" if message.recipient is None else f" to={message.recipient}"
        kind = (message.content_type or "").removeprefix(CONSTRAIN)
        channel, encode = message.channel, self._encoder.encode
        if channel is None:
            return [*encode(author + recipient), *self._constrained(kind)]
        if channel != "commentary":
            return [*encode(author + recipient), _CHANNEL, *encode(channel), *self._constrained(kind)]
        if author == "assistant" and recipient and kind:
            return [*encode(author + recipient), _CHANNEL, *encode(f"{channel} {kind}")]
        return [*encode(author), _CHANNEL, *encode(channel + recipient), *self._constrained(kind)]

    def _constrained(self, kind: str) -> list[int]:
        if not kind:
            return []
        return [*self._encoder.encode(" "), _CONSTRAIN, *self._encoder.encode(kind)]

    def _structured(
        self, first: PartName, header: tuple[int, ...], texts: tuple[str, str], end: int
    ) -> Iterable[PromptSlice]:
        """Cut a message at its tools; what follows a system message's tools counts as tools too."""
        before, tools = texts
        head, tail = self._encoder.encode_apart(before + tools, len(before))
        if first == "tools" or not tail:
            yield PromptSlice(first, (*header, *head, *tail, end))
            return
        yield PromptSlice(first, (*header, *head))
        yield PromptSlice("tools", (*tail, end))


def _system_text(content: SystemText, has_functions: bool) -> tuple[str, str]:
    """Return the text up to the tools, and the rest (empty without built-in tools)."""
    who = f"{content.identity}\nKnowledge cutoff: {KNOWLEDGE_CUTOFF}\nCurrent date: {content.date}"
    before = f"{who}\n\nReasoning: {content.effort}"
    channels = f"\n\n# Valid channels: {', '.join(CHANNELS)}. Channel must be included for every message."
    channels += _CALLS_LINE if has_functions else ""
    if not content.namespaces:
        return before + channels, ""
    tools = tools_section((entry.name, entry.description, entry.tools) for entry in content.namespaces)
    return before, f"\n\n{tools}{channels}"


def _developer_text(content: DeveloperText) -> tuple[str, str]:
    """Return the instructions with their heading, and the tools."""
    before = "" if content.instructions is None else f"# Instructions\n\n{content.instructions}"
    if not content.functions:
        return before, ""
    tools = tools_section([("functions", None, content.functions)])
    return before, f"\n\n{tools}" if before else tools


def _is_built_in_call(message: HarmonyMessage) -> bool:
    """Return whether the server answers this call itself, so that what follows is a new round."""
    return (message.recipient or "").split(".")[0] in BUILT_IN.values()


def _texts(message: HarmonyMessage) -> tuple[str, ...]:
    return message.content if isinstance(message.content, tuple) else ()


def assumptions_of(body: Mapping[str, JsonValue], facts: ServerFacts, *, is_given: bool) -> tuple[str, ...]:
    """Return what had to be assumed about the server, each in a sentence."""
    if is_given:
        return (f"The server's date, identity and tools were given: {facts.date}.",)
    found = [
        f"The server's date is taken to be today, {facts.date}; any other date has as many tokens.",
        "The server's identity line is taken to be vLLM's own.",
    ]
    tools = body.get("tools")
    if isinstance(tools, list) and any(isinstance(tool, dict) and tool.get("type") != "function" for tool in tools):
        found.append("The server is taken to run no built-in tools.")
    return tuple(found)
