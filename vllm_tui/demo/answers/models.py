"""Answers about models and the protocol: quantisation, effort, tools, Harmony, context, the Responses API."""

from __future__ import annotations

from vllm_tui.demo.answers.topic import Topic

QUANTISATION = Topic(
    "quantisation",
    "quanti[sz]\\w*|fp8|int8|int4|awq|gptq|mxfp4|4[ -]bit|8[ -]bit",
    (
        "Quantisation. Distinguish weights, activations and cache.",
        "Weight-only helps decode, because decode is bound by reading weights.",
        "FP8 with activations also helps prefill on hardware that has it.",
        "gpt-oss ships in MXFP4, so there is nothing to choose there.",
        "Quality: small on average, larger on long reasoning and on rare languages; so measure.",
        "A compact table with bits, needs and typical use is best.",
        "Finish with a command and a warning about comparing at the same settings.",
    ),
    """## Quantisation, briefly

Fewer bits per number: less memory, less to read in every step, a little less precision.

| format | bits | what shrinks | hardware | typical use |
|---|---:|---|---|---|
| BF16 | 16 | nothing | any | the reference |
| FP8 | 8 | weights and activations | Hopper, Ada and newer | the first thing to try |
| AWQ, GPTQ | 4 | weights | any recent GPU | a large model on a small card |
| MXFP4 | 4 | expert weights | Blackwell, emulated elsewhere | how gpt-oss is shipped |
| FP8 cache | 8 | KV cache | Hopper, Ada and newer | long contexts |

Decoding reads every weight for every step, so **halving the bytes nearly doubles the speed** of a single stream. At
large batches compute matters more, and weight-only formats gain less.

```sh
vllm serve Qwen/Qwen3-8B --quantization fp8          # converted while loading
vllm serve Qwen/Qwen3-8B-AWQ                         # found in the model's own config
```

How to judge quality without fooling yourself:

1. Take thirty prompts of *yours*, with answers that can be checked.
2. Same temperature, same effort, same limits for both.
3. Count wrong answers, not pleasant ones.

Losses show first in long reasoning, in arithmetic and in languages the calibration data did not have.""",
)

EFFORT = Topic(
    "reasoning effort",
    "(?:reasoning )?effort|reasoning|thinking (?:tokens|mode|level)|chain of thought|think (?:longer|more|less)",
    (
        "They ask about reasoning effort, so my own reasoning is a demonstration.",
        "Say what it is: a hint in the prompt, not a budget.",
        "gpt-oss knows low, medium, high; other models only on or off.",
        "Cost: reasoning tokens are output tokens, paid in time and context.",
        "The two first tokens: of the reasoning and of the answer.",
        "Low is right for lookups and rewriting; high for proofs, bugs and planning.",
        "Mention that max_output_tokens counts reasoning too; a small limit may leave no answer at all.",
        "Suggest an experiment: the same question at each level.",
    ),
    """## Reasoning effort

Effort is a **hint in the prompt**, not a budget: the model was trained to think for a shorter or a longer time when it
reads it.

| model | levels | what vLLM does with them |
|---|---|---|
| gpt-oss | `low`, `medium`, `high` | writes `Reasoning: high` into the Harmony system message |
| Qwen3 and the like | any, `none` | `none` switches thinking off, all others on |

`minimal` is refused by gpt-oss with status 400.

### What it costs

- Reasoning tokens are **output tokens**. They take the same time and the same room in the window.
- `max_output_tokens` counts them too. Give a hard question 300 tokens at `high` and you may get no answer at all,
  only an unfinished thought.
- The wait before the answer grows, though the *first token* comes as early as before.

### When to use which

1. **low**: lookups, rewriting, extraction, small talk
2. **medium**: explaining, ordinary code
3. **high**: proofs, subtle bugs, plans with many constraints

The honest test is your own question at all levels, three times each. Watch whether the answer changes. If it does not,
the cheapest level is the best one.""",
)

TOOLS = Topic(
    "tool calling",
    "tool[ -]?call\\w*|function[ -]call\\w*|tool[ -]?use|(?:your|my|which|use) tools?\\b|tool parser|mcp\\b",
    (
        "Tool calling on vLLM; the usual trouble is the parser.",
        "Explain the loop: the model asks, the client runs, the result goes back.",
        "Flags: enable-auto-tool-choice and the parser that fits the model.",
        "gpt-oss needs neither flag.",
        "Symptom table: JSON in the text means no parser; a call to an undeclared tool means the model made it up.",
        "Show the smallest complete tool definition.",
    ),
    """## Tool calling

The server never runs your function. It **asks**, you run, you send the result back:

```text
you     → question + tool definitions
model   → function_call  get_weather {"city": "Paris"}
you     → function_call_output  {"celsius": 18}
model   → "It is 18 °C in Paris."
```

### The server must be told

| model | flags |
|---|---|
| gpt-oss | none, tools are always on |
| Qwen3, Hermes | `--enable-auto-tool-choice --tool-call-parser hermes` |
| Llama 3.x | `--enable-auto-tool-choice --tool-call-parser llama3_json` |
| Mistral | `--enable-auto-tool-choice --tool-call-parser mistral` |

### A definition that works

```json
{
  "type": "function",
  "name": "get_weather",
  "description": "Get the current weather in a city.",
  "parameters": {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": false
  }
}
```

### If it does not

- **JSON in the answer text**: no parser, or the wrong one.
- **Arguments that are not JSON**: cut by `max_output_tokens`, or a very small model.
- **A tool nobody declared**: the model invented it. A shorter list with clear descriptions helps.

Ask me for the weather in two cities with a weather tool switched on, and watch it happen.""",
)

HARMONY = Topic(
    "Harmony",
    "harmony|gpt-?oss|analysis channel|channels\\b|developer message",
    (
        "Harmony, the format of gpt-oss.",
        "Channels: analysis, commentary, final.",
        "Roles: system, developer, user, assistant, tool.",
        "An example of the raw tokens makes it clear, in a code block so that nothing is taken for markup.",
        "History: the analysis of finished turns is dropped, that within a tool loop is kept.",
    ),
    """## Harmony

gpt-oss speaks in **channels**. Each message of the model names the one it belongs to:

| channel | holds | is shown as |
|---|---|---|
| `analysis` | its thoughts | reasoning |
| `commentary` | tool calls, and short notes before them | tool cards, text |
| `final` | what you asked for | the answer |

Raw, a turn looks like this:

```text
<|start|>assistant<|channel|>analysis<|message|>Simple question.<|end|>
<|start|>assistant<|channel|>final<|message|>Paris.<|return|>
```

Things worth knowing:

- Your *system prompt* becomes the **developer** message. The system message proper is the server's: identity, date,
  effort, channels.
- The analysis of earlier turns is left out of the next prompt. Within a tool loop it stays, and should be sent back.
- Generation stops at the first call, so two calls arrive in two rounds.
- Every message costs about four tokens besides its text, which is why counts look higher than the words suggest.

The format is described in the [Harmony guide](https://cookbook.openai.com/articles/openai-harmony).""",
)

CONTEXT = Topic(
    "context window",
    "context (?:window|length|limit|size)|max_model_len|max-model-len|too long|truncat\\w*|long (?:context|prompts?)",
    (
        "About the context window.",
        "Input and output share it; the server clamps the output.",
        "Too long a prompt is refused before anything streams.",
        "truncation auto keeps the end and cuts the system prompt: a trap.",
        "Advise to drop whole turns and to keep a reserve.",
    ),
    """## The context window

Input and output **share** one window. For a model with 32,768 tokens:

```text
|<------------------------- 32,768 ------------------------->|
| system | history ............... | question | output reserve |
```

- A prompt that is longer is refused with status 400 *before* anything streams.
- `max_output_tokens` larger than the rest is quietly made smaller.
- An answer that reaches the end has the status `incomplete`.

### What to do when it gets tight

1. **Drop whole turns**, oldest first, several at once. A call without its result confuses every model.
2. **Keep a reserve** for the output, larger at high effort.
3. **Summarise** what you drop if it matters.

`truncation: "auto"` sounds like the answer and is not: it keeps the *end* of the rendered prompt, so the system prompt
goes first, and it leaves room for a single token.

The limit is in the list of models:

```sh
curl -s http://127.0.0.1:8000/v1/models | python -m json.tool | grep max_model_len
```""",
)

RESPONSES = Topic(
    "the Responses API",
    "responses api|/v1/responses|sse\\b|streaming|event stream|previous_response_id|chat completions",
    (
        "The Responses API and its stream.",
        "Items and events; the order of events for one message.",
        "Differences on vLLM: completed is always the last event, no DONE, no keep-alives.",
        "A cut stream ends silently; the client must notice.",
        "Store is off by default.",
    ),
    """## The Responses API on vLLM

A response is a list of **items** (reasoning, message, function call); a stream tells how each one grows:

```text
response.created
response.in_progress
response.output_item.added        reasoning
response.reasoning_text.delta     "The user"
...
response.output_item.done
response.output_item.added        message
response.output_text.delta        "Paris"
...
response.completed                usage, status, everything again
```

What surprises people who come from Chat Completions:

- There is **no `[DONE]`**. `response.completed` is the end; a stream without it was cut.
- *Completed* is not always complete: look at `status` inside it.
- No keep-alives: silence while queued is normal.
- `usage` is in the last event only.
- `store` is on by default in the request and **off on the server**, unless it was started with
  `VLLM_ENABLE_RESPONSES_API_STORE=1`.

```python
from openai import OpenAI

client = OpenAI(base_url="http://127.0.0.1:8000/v1", api_key="unused")
with client.responses.create(model="openai/gpt-oss-20b", input="Hello", stream=True) as stream:
    for event in stream:
        if event.type == "response.output_text.delta":
            print(event.delta, end="", flush=True)
```""",
)

SAMPLING = Topic(
    "sampling",
    "sampling|temperature|top_?p\\b|top_?k\\b|min_?p\\b|seed\\b|repetition|random(?:ness)?\\b|determinis\\w*|greedy",
    (
        "They ask how the next token is chosen.",
        "The logits are divided by the temperature before the softmax.",
        "Zero means greedy, one the model's own distribution.",
        "top_p and min_p cut the tail; they act after the temperature.",
        "Greedy is not the same as reproducible: batch size changes rounding.",
        "Reasoning models are tuned for a certain temperature; low values make some of them loop.",
        "A small function shows the effect with numbers.",
    ),
    """## How the next token is chosen

The model gives each token of its vocabulary a score. Temperature divides the scores *before* they become
probabilities:

```python
from math import exp

def probabilities(scores: list[float], temperature: float) -> list[float]:
    weights = [exp(score / temperature) for score in scores]
    return [weight / sum(weights) for weight in weights]

for t in (0.5, 1.0, 2.0):
    print(t, [round(p, 2) for p in probabilities([3.0, 2.0, 1.0], t)])
# 0.5 [0.87, 0.12, 0.02]
# 1.0 [0.67, 0.24, 0.09]
# 2.0 [0.51, 0.31, 0.19]
```

| setting | does | a sensible start |
|---|---|---|
| `temperature` | flattens or sharpens everything | what the model's card says, often 0.6 to 1.0 |
| `top_p` | keeps the likeliest tokens up to that sum | 0.95 |
| `min_p` | drops tokens far less likely than the best | 0.05 in place of `top_p` |
| `seed` | repeats the same dice | only for tests |

Two things that surprise people:

1. **Temperature 0 is not quite repeatable.** A fuller batch takes other kernels, and rounding differs in the last bit.
   Where two tokens are close, the answer forks.
2. **Reasoning models dislike low temperatures.** Some begin to repeat themselves. Use the values they were tuned for.

The values that really apply are echoed in the response, so you can see the server's defaults there.""",
)

TOPICS = (QUANTISATION, SAMPLING, EFFORT, TOOLS, HARMONY, CONTEXT, RESPONSES)
