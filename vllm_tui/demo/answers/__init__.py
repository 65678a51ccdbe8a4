"""What the demo knows: subjects with their thoughts and answers."""

from __future__ import annotations

from vllm_tui.demo.answers import engine, everyday, models, serving
from vllm_tui.demo.answers.topic import Topic

TOPICS: tuple[Topic, ...] = (*engine.TOPICS, *serving.TOPICS, *models.TOPICS, *everyday.TOPICS)
"""All subjects; on a tie the earlier one wins."""

READ = 4000
"""Characters of a question that are looked at."""


def find_topic(question: str) -> Topic | None:
    """Return the subject that fits the beginning of a question best, or None."""
    start = question[:READ]
    best = max(TOPICS, key=lambda topic: topic.match(start))
    return best if best.match(start) else None


def long_answer() -> str:
    """Return a guide of several thousand tokens, for those who want to scroll."""
    parts = (*engine.TOPICS, *serving.TOPICS, *models.TOPICS)
    return "\n\n".join(["# Serving language models, from the bottom up", *(part.text for part in parts)])


__all__ = ["TOPICS", "Topic", "find_topic", "long_answer"]
