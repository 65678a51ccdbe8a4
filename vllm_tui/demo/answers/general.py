"""A thoughtful answer to anything, and the reasoning that goes before any answer."""

from __future__ import annotations

import re

_SMALL = frozenset(
    [
        "about",
        "after",
        "again",
        "also",
        "because",
        "been",
        "before",
        "being",
        "between",
        "both",
        "could",
        "does",
        "doing",
        "each",
        "from",
        "have",
        "having",
        "here",
        "into",
        "just",
        "know",
        "like",
        "make",
        "more",
        "most",
        "much",
        "need",
        "only",
        "other",
        "over",
        "please",
        "same",
        "should",
        "some",
        "such",
        "tell",
        "than",
        "that",
        "their",
        "them",
        "then",
        "there",
        "these",
        "they",
        "this",
        "those",
        "through",
        "under",
        "very",
        "want",
        "what",
        "when",
        "where",
        "which",
        "while",
        "will",
        "with",
        "would",
        "your",
    ]
)

_SECOND_LOOK = (
    "Wait. Let me check that I answer what was asked, and not a neighbouring question.",
    "Is there a case in which this would be wrong? If so I should say so rather than hide it.",
    "The figures: do they agree with each other? Yes, I have checked them once more.",
    "What would somebody new to this stumble over? I will name it.",
    "What would an expert object to? Probably a missing condition, so I add it.",
    "A table is easier to scan than a paragraph here.",
    "I should keep it short enough to be read to the end.",
    "An example beats a definition. Keep the example.",
    "Could I leave something out? The history is nice but does not help.",
    "Good. Structure: the point first, then the reasons, then what to do.",
    "One more pass over the wording, in plain words.",
    "I am confident enough to answer now.",
)


def think_about(question: str, thoughts: tuple[str, ...], depth: int) -> str:
    """Return `depth` sentences of reasoning: the question, the subject's own thoughts, then second looks."""
    asked = " ".join(question.split())
    shown = asked if len(asked) <= 90 else f"{asked[:90].rsplit(' ', 1)[0]} …"
    lines = (f'The user asks: "{shown}"', *thoughts, *_SECOND_LOOK)
    return "\n".join(lines[:depth])


def answer_anything(question: str) -> str:
    """Return an answer to a question the demo knows nothing about; it refers to the question's own words."""
    words = key_words(question)
    subject = " and ".join(f"**{word}**" for word in words[:2]) or "your question"
    first = words[0] if words else "it"
    quoted = " ".join(question.split())[:160] or "(nothing)"
    return f"""You asked:

> {quoted}

I am a scripted demo and know only a few subjects, so I will not pretend to know the facts about {subject}. What I can
offer is a way to take such a question apart, which is also a fair test of how an answer looks here.

### 1. Say what a good answer would change

Write one sentence: *"When I know this, I will …"* If nothing changes, the question can wait. If something does, that
sentence is the test for every answer you get.

### 2. Split what is known from what is guessed

| about {first} | you know it from | how sure |
|---|---|---|
| what you have seen yourself | a measurement, a log | high |
| what somebody told you | a person, a page | ask for the source |
| what seems obvious | habit | test it first |

### 3. Look for the cheapest test

1. What is the smallest experiment that could prove you wrong?
2. How long would it take? Minutes beat opinions.
3. What result would surprise you? Write it down *before* you look.

### 4. Ask a model well

- Give the context it cannot know: versions, sizes, what you tried.
- Ask for the answer first and the reasons after it.
- For {first}, ask what it would need to know to be certain. The reply often shows what is missing.

With a real model behind it this program would now stream its answer. The subjects I do know: paged attention, the KV
cache, batching, quantisation, speculative decoding, reasoning effort, tool calling, and a function in Python."""


def key_words(question: str) -> list[str]:
    """Return the telling words of a question: long ones first by place, none of the small words, none twice."""
    words = re.findall(r"[^\W\d_][\w-]{3,30}", question)
    return list(dict.fromkeys(word for word in words if word.casefold() not in _SMALL))
