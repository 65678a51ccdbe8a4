"""Answers about what happens inside an inference engine."""

from __future__ import annotations

from vllm_tui.demo.answers.topic import Topic

PAGED_ATTENTION = Topic(
    "paged attention",
    "paged?[ -]?attention|block tables?\\b|fragmentation",
    (
        "The question is about paged attention, the idea vLLM was built on.",
        "I should start from the problem: a contiguous cache per request wastes most of its memory.",
        "Then the analogy with virtual memory: blocks, a block table, no need to be contiguous.",
        "A small sketch of the lookup in Python makes the indirection concrete.",
        "Sharing follows from it: equal prefixes can point at the same blocks, copied on write.",
        "What does it cost? One more indirection in the kernel, and up to one unfilled block per sequence.",
        "A worked number helps: 16 tokens a block means at most 15 slots wasted per sequence.",
        "I should say what it does not do: it does not make one request faster, it lets more of them fit.",
    ),
    """## Paged attention in one picture

A request's keys and values do not have to lie side by side in memory. vLLM cuts the cache into **blocks** of
16 tokens and keeps a *block table* for each request, just as an operating system maps virtual pages to frames.

| | contiguous cache | paged cache |
|---|---|---|
| reserved for a request | its maximum length | the blocks it has filled |
| wasted | often more than half | at most 15 token slots |
| equal prefixes | stored twice | stored once, copied on write |
| growing | may need to move | takes any free block |

Finding the key of token `i` is one extra step:

```python
BLOCK = 16

def locate(block_table: list[int], i: int) -> tuple[int, int]:
    \"\"\"Return the physical block and the slot in it for token i.\"\"\"
    return block_table[i // BLOCK], i % BLOCK

print(locate([7, 2, 9], 20))  # (2, 4)
```

What follows from it:

1. **More requests fit at once**, so each pass over the weights serves more tokens.
2. **Prefix caching** is nearly free: a block is known by the hash of its tokens and of all tokens before it.
3. **Preemption** is cheap to decide: drop the blocks of one request, compute them again later.

It does not make a single request faster. It makes the *tenth* one possible. The paper is
[Efficient Memory Management for LLM Serving with PagedAttention](https://arxiv.org/abs/2309.06180).""",
)

KV_CACHE = Topic(
    "KV cache",
    "kv[ -]?cache|key[ -]value cache|cache size|cache cost|memory per token",
    (
        "They ask about the KV cache; most people want to know how large it gets.",
        "The formula is two tensors, times layers, times KV heads, times head size, times bytes.",
        "With grouped-query attention only the KV heads count, which is why modern models are cheap here.",
        "Let me compute Qwen3-8B: 36 layers, 8 KV heads, head size 128, 2 bytes: 2*36*8*128*2 = 147456 bytes.",
        "So 144 KiB a token, and 4.5 GiB for a window of 32768 tokens.",
        "gpt-oss-20b: 24 layers, 8 KV heads, head size 64: 2*24*8*64*2 = 49152 bytes, 48 KiB a token.",
        "But half its layers use a sliding window of 128 tokens, so the true growth is about half of that.",
        "I should close with what one can do: fp8 cache, shorter max_model_len, more memory for the cache.",
    ),
    """## What the KV cache costs

For every token of every running request the model keeps one key and one value per layer and KV head:

> bytes per token = 2 × layers × KV heads × head size × bytes per number

| model | layers | KV heads | head size | per token (16 bit) | full window |
|---|---:|---:|---:|---:|---:|
| Qwen3-8B | 36 | 8 | 128 | 144 KiB | 4.5 GiB at 32,768 |
| gpt-oss-20b | 24 | 8 | 64 | 48 KiB | 6.0 GiB at 131,072 |

gpt-oss is cheaper still in practice: every second layer looks back only 128 tokens.

```python
def kv_bytes(layers: int, kv_heads: int, head_size: int, width: int = 2) -> int:
    \"\"\"Bytes that one token occupies in the KV cache.\"\"\"
    return 2 * layers * kv_heads * head_size * width

per_token = kv_bytes(36, 8, 128)
print(f"{per_token / 1024:.0f} KiB a token, {per_token * 32768 / 2**30:.1f} GiB a window")
```

Three ways to make room, from the mildest:

- `--gpu-memory-utilization 0.93` gives the cache what the weights leave over.
- `--max-model-len 16384` bounds what a single request may take.
- `--kv-cache-dtype fp8` halves the bytes; check quality on *your* prompts first.

vLLM prints at start how many tokens fit: look for `GPU KV cache size` in its log.""",
)

BATCHING = Topic(
    "continuous batching",
    "(?:continuous|dynamic|static)[ -]batch|batch(?:ing|es|ed)?\\b|scheduler|max_num_seqs|chunked prefill",
    (
        "The subject is continuous batching.",
        "Contrast with static batching first: there the slowest answer holds everybody.",
        "The key point is that scheduling happens per step, not per request.",
        "Decoding is bound by memory bandwidth: reading the weights once for many requests is the whole gain.",
        "Prefill is bound by compute, so a long prompt can stall others; chunked prefill is the answer.",
        "Name the two limits a person can set: max_num_seqs and max_num_batched_tokens.",
        "A tiny timeline shows it better than words.",
    ),
    """## Continuous batching

A GPU that decodes for one request spends nearly all its time *reading weights*. Reading them once for sixty-four
requests costs almost the same, so a server wants many requests in each step. The question is how they get on and off.

```text
static      A ████████░░░░   wait for the longest
            B ████████████
            C             ████████

continuous  A ████████ C ████████    C starts the moment A ends
            B ████████████
```

**Every step** the scheduler asks anew: who is finished, who may enter, who needs blocks? No request waits for a
stranger's long answer.

### The knobs

| option | bounds | raise it when | lower it when |
|---|---|---|---|
| `--max-num-seqs` | requests in a step | the queue grows, memory is free | preemptions appear |
| `--max-num-batched-tokens` | tokens in a step | prompts are long, TTFT is poor | answers stutter |

*Chunked prefill* is on by default: a prompt of 30,000 tokens is read in slices between decode steps, so others keep
streaming meanwhile.

Watch `vllm:num_requests_waiting` and `vllm:num_preemptions_total` together. Waiting without preemptions means
that you may admit more; preemptions mean that you admitted too much.""",
)

SPECULATIVE = Topic(
    "speculative decoding",
    "speculat\\w*|draft model|eagle|n-?gram|acceptance rate|lookahead",
    (
        "Speculative decoding: guess several tokens cheaply, verify them in one pass.",
        "It must be clear that the output distribution does not change.",
        "The gain depends on the acceptance rate; give the formula for the expected number of tokens.",
        "With acceptance a and k guesses: (1 - a**(k+1)) / (1 - a).",
        "For a = 0.7 and k = 4: (1 - 0.168) / 0.3 = 2.77 tokens a pass.",
        "At high load it hurts, because verification takes compute from other requests.",
        "I should name the methods vLLM knows: n-gram, EAGLE, MTP, a separate draft model.",
    ),
    """## Speculative decoding

A small *drafter* proposes the next few tokens; the large model checks them **all in one pass** and keeps the longest
prefix it agrees with. The answer follows the same distribution as before; only the number of passes falls.

With `k` guesses and an acceptance rate `a` a pass yields on average

```python
def tokens_per_pass(a: float, k: int) -> float:
    return (1 - a ** (k + 1)) / (1 - a)

for a in (0.5, 0.7, 0.9):
    print(f"a={a}: {tokens_per_pass(a, 4):.2f}")   # 1.94, 2.77, 4.10
```

| method | needs | good for |
|---|---|---|
| n-gram | nothing | answers that quote the prompt: editing, summaries, code |
| EAGLE | a small trained head | general chat |
| MTP | a model trained with it | that model |
| draft model | a sibling with the same vocabulary | large models with a small sibling |

```sh
vllm serve Qwen/Qwen3-8B \\
  --speculative-config '{"method": "ngram", "num_speculative_tokens": 4, "prompt_lookup_max": 4}'
```

Two cautions:

- It buys **latency at low load**. With a full batch the extra checking competes with other people's tokens.
- Measure the acceptance rate on your own traffic. Below about 0.5 it seldom pays.""",
)

PREFIX_CACHE = Topic(
    "prefix caching",
    "prefix[ -]cach\\w*|cached tokens?|cache hit|prompt cach\\w*",
    (
        "This is about prefix caching and the cached token count.",
        "Say what is matched: whole blocks from the very start, token by token.",
        "Therefore the order in a prompt matters; stable parts first.",
        "Mention what breaks it: a timestamp in the system prompt, reordered tools.",
        "Mention cache_salt for isolation between tenants.",
    ),
    """## Prefix caching

If a new prompt **begins** with tokens the server has seen, their keys and values are already there and need not be
computed again. Matching works on whole blocks from the first token on, so one changed word ends the match *there*.

You see the effect in `usage.input_tokens_details.cached_tokens`: always a multiple of the block size.

**Keeps the cache warm**

- system prompt and tool definitions first, and always in the same order
- history appended, never rewritten
- the changing part (date, retrieved text, question) at the end

**Spoils it**

- `Today is 09:41:07` in the first line of the system prompt
- trimming the oldest message on every turn, rather than several at once now and then
- a different `cache_salt` (which is exactly what it is for: separate tenants)

A second question in this conversation should show most of its input as cached. Try it, and look at the
sidebar.""",
)

TOPICS = (PAGED_ATTENTION, KV_CACHE, BATCHING, SPECULATIVE, PREFIX_CACHE)
