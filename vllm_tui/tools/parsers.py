"""Which of vLLM's parsers fits a model, as far as its name tells. Names as in vLLM 0.32."""

from __future__ import annotations

_TOOL_PARSERS = (
    ("qwen3-coder", "qwen3_coder"),
    ("qwen", "hermes"),
    ("hermes", "hermes"),
    ("smollm", "hermes"),
    ("llama-4", "llama4_pythonic"),
    ("llama-3", "llama3_json"),
    ("mistral", "mistral"),
    ("devstral", "mistral"),
    ("deepseek-v3.1", "deepseek_v31"),
    ("deepseek-v3", "deepseek_v3"),
    ("deepseek-r1", "deepseek_v3"),
    ("glm-4.5", "glm45"),
    ("glm-4.7", "glm47"),
    ("kimi-k2", "kimi_k2"),
    ("granite-4", "granite4"),
    ("granite", "granite"),
    ("minimax-m2", "minimax_m2"),
    ("phi-4-mini", "phi4_mini_json"),
    ("olmo-3", "olmo3"),
    ("jamba", "jamba"),
)
_REASONING_PARSERS = (
    ("qwen3", "qwen3"),
    ("smollm3", "qwen3"),
    ("deepseek-r1", "deepseek_r1"),
    ("deepseek-v3", "deepseek_v3"),
    ("glm-4", "glm45"),
    ("granite", "granite"),
    ("kimi-k2", "kimi_k2"),
    ("magistral", "mistral"),
    ("minimax-m2", "minimax_m2"),
    ("seed-oss", "seed_oss"),
    ("olmo-3", "olmo3"),
)


def is_harmony(model: str) -> bool:
    """Return whether the model speaks Harmony, where vLLM has its own parsers and ignores the flags."""
    return "gpt-oss" in model.lower()


def tool_flags(model: str) -> tuple[str, ...]:
    """Return the server options that turn tool calls on for a model; none for Harmony models."""
    if is_harmony(model):
        return ()
    return ("--enable-auto-tool-choice", f"--tool-call-parser {_fitting(_TOOL_PARSERS, model)}")


def reasoning_flags(model: str) -> tuple[str, ...]:
    """Return the server option that tells reasoning from the answer; none for Harmony models."""
    return () if is_harmony(model) else (f"--reasoning-parser {_fitting(_REASONING_PARSERS, model)}",)


def _fitting(table: tuple[tuple[str, str], ...], model: str) -> str:
    name = model.lower().replace("_", "-")
    return next((parser for part, parser in table if part in name), "PARSER")
