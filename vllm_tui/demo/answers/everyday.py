"""Answers to everyday prompts: greetings, code, a show of Markdown, something long."""

from __future__ import annotations

from vllm_tui.demo.answers.topic import Topic

HELLO = Topic(
    "hello",
    "hello|hi\\b|hey\\b|good (?:morning|afternoon|evening)|who are you|what can you do|what are you|help me\\b|help$",
    (
        "A greeting. Be brief and friendly.",
        "Say plainly that this is the demo, and what can be tried.",
        "Three or four suggestions are enough.",
    ),
    """Hello! I am the **demo**: a scripted server that answers exactly as vLLM 0.32 would, with no GPU behind it.

A few things to try:

- *How does paged attention work?*
- *Write a function that merges two sorted lists*
- *What is the weather in Paris and in Tokyo?* with a weather tool switched on
- the same question at low and at high effort; watch the reasoning grow
- a failure from the palette, for example *dies mid-answer*

When you have a server of your own, start the program with `--base-url http://HOST:8000/v1`.""",
)

THANKS = Topic(
    "thanks",
    "thanks?\\b|thank you|great answer|perfect|cheers|bye\\b|goodbye",
    ("They are pleased. A short reply is best.",),
    """You are welcome. Ask on whenever you like: the earlier turns stay in the context, and most of them come from the
prefix cache.""",
)

FUNCTION = Topic(
    "a function",
    "(?:write|implement|code|give me)\\b.{0,200}\\b(?:function|code|script|program|class|python)|a function|refactor",
    (
        "They want code. Choose something small, complete and tested.",
        "A merge of two sorted sequences is clear and has real edge cases.",
        "Should it be a generator? Yes: it works on streams and needs no extra memory.",
        "Careful with the sentinel: None may be a value, so use a unique object.",
        "Stability matters: on equal keys take from the left.",
        "Check the empty cases: both empty, one empty, all of one before the other.",
        "Add a test that can be run as it is.",
        "Mention heapq.merge, since the standard library has it already.",
    ),
    """Here is a small, complete example: merging two sorted streams without holding either in memory.

```python
from collections.abc import Iterable, Iterator
from typing import Any

_END: Any = object()


def merge(left: Iterable[int], right: Iterable[int]) -> Iterator[int]:
    \"\"\"Yield the items of two sorted iterables in order; on a tie the left one comes first.\"\"\"
    lefts, rights = iter(left), iter(right)
    a, b = next(lefts, _END), next(rights, _END)
    while a is not _END and b is not _END:
        if b < a:
            yield b
            b = next(rights, _END)
        else:
            yield a
            a = next(lefts, _END)
    if a is not _END:
        yield a
        yield from lefts
    if b is not _END:
        yield b
        yield from rights
```

And its test:

```python
def test_merge_keeps_order_and_loses_nothing() -> None:
    assert list(merge([], [])) == []
    assert list(merge([1, 4, 9], [])) == [1, 4, 9]
    assert list(merge([1, 4], [2, 3, 9])) == [1, 2, 3, 4, 9]
```

Three decisions you may want to question:

1. **A sentinel object** and not `None`, so that `None` could be an item.
2. **`b < a`** and not `b <= a`: equal items keep the order left, right.
3. **A generator**: the caller decides how much is read.

For real work the standard library has it: `heapq.merge(left, right)`.""",
)

MARKDOWN = Topic(
    "a show of Markdown",
    "markdown|formatting|(?:a|as) table\\b|code blocks?\\b|rendering",
    (
        "A tour of Markdown: every element once, with content that makes sense.",
        "Headings, emphasis, lists, nested lists, a table, quotes, code, a rule, links.",
        "Wide characters and emoji in a table are a good test of alignment.",
        "Keep each part short.",
    ),
    """# Everything Markdown

## Words

*Emphasis*, **strong**, ***both***, ~~struck~~, `code`, and a [link that shows its target](https://docs.vllm.ai/).

## Lists

1. First
   - nested, with `code`
   - nested again
     - and once more
2. Second
   1. numbered inside
   2. twice

- [x] a finished task
- [ ] one that waits

## A table

| what | left | centre | right |
|:---|:---|:---:|---:|
| Latin | abc | abc | 1 |
| wide | 日本語 | 한국어 | 10 |
| accents | naïve | Zürich | 100 |
| symbols | → ≤ ∑ | ✓ ✗ | 1,000 |

## Quotes

> A quote of two lines
> that belongs together.
>
> > And one inside it.

## Code

```sh
for port in 8000 8001; do
  curl -fsS "http://127.0.0.1:$port/health" && echo "port $port is up"
done
```

```json
{"model": "openai/gpt-oss-20b", "reasoning": {"effort": "low"}, "stream": true}
```

```diff
-  --max-num-seqs 256
+  --max-num-seqs 128
```

---

The end, after a rule.""",
)

TOPICS = (HELLO, THANKS, FUNCTION, MARKDOWN)
