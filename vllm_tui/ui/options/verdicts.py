"""What this server and model make of a value, as far as they showed it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from vllm_tui.ui.model_choice import Efforts

if TYPE_CHECKING:
    from vllm_tui.domain.checks import Probe
    from vllm_tui.domain.response import ModelInfo
    from vllm_tui.settings.layers import Settings

_STORE_HINT = "This server keeps no responses; it needs VLLM_ENABLE_RESPONSES_API_STORE=1."
_NO_STREAM = "This server does not stream with this model; whole replies are used."


@dataclass(frozen=True, slots=True)
class Known:
    """What the session learnt: the served `models`, the one in use, the efforts it takes, notices by code."""

    models: tuple[ModelInfo, ...] = ()
    model: str = ""
    efforts: Efforts = field(default_factory=Efforts)
    notices: Mapping[str, str] = field(default_factory=dict)
    probe: Probe | None = None

    @property
    def window(self) -> int | None:
        """Return the window of the model in use in tokens, as the server or the configuration bounds it."""
        return next((info.context_window for info in self.models if info.id == self.model), None)


@dataclass(frozen=True, slots=True)
class Verdict:
    """One sentence; `is_bad` means that the value will not have the effect it asks for."""

    text: str
    is_bad: bool = False


def verdict(name: str, settings: Settings, known: Known) -> Verdict | None:
    """Return what this server and model make of option `name` with its value in `settings`; None: nothing known."""
    match name:
        case "base_url" | "api_key":
            return _of_probe(settings.text("base_url"), known)
        case "default_model":
            return _of_model(settings.text(name), known)
        case "reasoning":
            return _of_effort(settings.text_or_none(name), known)
        case "context_window":
            return _of_window(settings.integer_or_none(name), known)
        case "max_tokens":
            return _of_answer(settings.integer(name), known)
        case "top_logprobs":
            is_refused = settings.value(name) is not None and "gpt-oss" in known.model.lower()
            return Verdict("gpt-oss models are refused with it (status 400).", is_bad=True) if is_refused else None
        case "enable_state" | "resume":
            is_refused = settings.is_on(name) and "store_unavailable" in known.notices
            return Verdict(_STORE_HINT, is_bad=True) if is_refused else None
        case "use_streaming":
            is_refused = settings.is_on(name) and "streaming_unavailable" in known.notices
            return Verdict(_NO_STREAM, is_bad=True) if is_refused else None
        case _:
            return None


def _of_probe(base_url: str, known: Known) -> Verdict | None:
    probe = known.probe
    if probe is None or probe.base_url.rstrip("/") != base_url.rstrip("/"):
        return None
    problem = probe.first_problem
    if problem is not None and problem.state == "fail":
        return Verdict(f"Tested: {problem.fact}.", is_bad=True)
    version = f"vLLM {probe.version}" if probe.version else "it answers"
    count = len(probe.models)
    return Verdict(f"Tested: {version}, {count} model{'' if count == 1 else 's'}.")


def _of_model(wanted: str, known: Known) -> Verdict | None:
    names = [info.id for info in known.models]
    if not names:
        return None
    if wanted in names:
        return Verdict("This server serves it.")
    used = f"; {known.model} is used" if known.model in names else ""
    return Verdict(f"Not served here{used}.", is_bad=True)


def _of_effort(effort: str | None, known: Known) -> Verdict | None:
    taken = known.efforts.learned(known.model)
    if not taken:
        return None
    names = ", ".join(taken)
    if effort is not None and effort not in taken:
        return Verdict(f"{effort}: refused by this model; it takes {names}.", is_bad=True)
    return Verdict(f"This model takes {names}.")


def _of_window(wanted: int | None, known: Known) -> Verdict | None:
    card = next((info for info in known.models if info.id == known.model), None)
    if card is None or card.context_window is None or card.context_window_source is None:
        return None
    window = card.context_window
    if card.context_window_source == "context_window":
        return Verdict(f"{window:,} is used, by this option.")
    if wanted is not None and wanted > window:
        return Verdict(f"The server says {window:,}; {window:,} will be used.", is_bad=True)
    return Verdict(f"The server says {window:,}.")


def _of_answer(wanted: int, known: Known) -> Verdict | None:
    window = known.window
    if window is None or wanted < window:
        return None
    return Verdict(f"The window of this model is {window:,}: an answer gets what the prompt leaves.", is_bad=True)
