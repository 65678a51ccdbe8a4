"""Answers about running a server: start, memory, speed, several GPUs, watching it."""

from __future__ import annotations

from vllm_tui.demo.answers.topic import Topic

START = Topic(
    "starting a server",
    "install\\w*|start(?:ing)? (?:a|the|my|vllm)|vllm serve|set ?up|get(?:ting)? started|docker|deploy\\w*",
    (
        "They want to get a server running.",
        "Shortest path first: install, serve, check.",
        "Then the checks: health, models, one request.",
        "Point out the /v1 in the base URL, the commonest mistake.",
        "Mention that loading takes minutes and that connection refused is normal meanwhile.",
    ),
    """## A server in three commands

```sh
uv pip install vllm
vllm serve openai/gpt-oss-20b --port 8000
curl -s http://127.0.0.1:8000/v1/models
```

Until the weights are loaded the port refuses connections; that is normal and takes from seconds to minutes.

### Check it from the bottom up

| step | command | good answer |
|---|---|---|
| process | `curl -i http://127.0.0.1:8000/health` | `200`, empty body |
| version | `curl http://127.0.0.1:8000/version` | `{"version": "0.32.0"}` |
| model | `curl http://127.0.0.1:8000/v1/models` | the name you serve, and `max_model_len` |

Then point a client at `http://127.0.0.1:8000/v1`. The `/v1` belongs to the address: without it every call ends in
`{"detail":"Not Found"}`.

### Options worth knowing on the first day

- `--api-key "$VLLM_API_KEY"` asks for a key on everything under `/v1`.
- `--max-model-len 32768` keeps one request from reserving the whole card.
- `--enable-auto-tool-choice --tool-call-parser hermes` makes tools work on models like Qwen.
- `--reasoning-parser qwen3` separates thoughts from the answer.

More in the [documentation](https://docs.vllm.ai).""",
)

MEMORY = Topic(
    "out of memory",
    "out of memory|oom|cuda error|not enough memory|memory error|vram|gpu memory",
    (
        "An out-of-memory problem. Find out when it happens: at load, at profiling, or under load.",
        "At load the weights do not fit: quantise or split over GPUs.",
        "At profiling the activations or the cache do not fit: shorter context, fewer sequences.",
        "Under load vLLM preempts rather than dies, so a crash there means something else shares the card.",
        "Give the order of measures from harmless to costly.",
    ),
    """## Out of memory: ask *when* first

| it dies | what does not fit | first thing to try |
|---|---|---|
| while loading | the weights | a quantised model, or `--tensor-parallel-size 2` |
| while profiling | activations plus cache | `--max-model-len 16384` |
| capturing graphs | the graphs | `--max-num-seqs 64`, or `--enforce-eager` to be sure |
| under load | something else on the card | `nvidia-smi`: who else is there? |

A rough budget for a card of 24 GiB and Qwen3-8B:

```text
weights      8.2 B × 2 bytes      15.3 GiB
activations  and graphs            1.8 GiB
KV cache     what is left          4.5 GiB   about 32,000 tokens
```

So the window of 32,768 tokens just fits, for **one** request. Two people with half a window each fit too; ten with
a full one do not, and the server will queue them.

From harmless to costly:

1. `--max-model-len` to what you use
2. `--kv-cache-dtype fp8`
3. a model in FP8 or AWQ
4. a second GPU""",
)

SPEED = Topic(
    "latency and throughput",
    "slow\\w*|latency|throughput|ttft|tokens? (?:per|a|/) ?s\\w*|benchmark\\w*|faster\\b|performance|speed\\b",
    (
        "A question of speed. Separate the phases before giving advice.",
        "Queue, prefill, decode: each has its own cause and its own remedy.",
        "TTFT is queue plus prefill; the gap between tokens is decode.",
        "Reasoning models have a second first: the first token of the answer.",
        "Offer a way to measure: vllm bench serve with a rate.",
        "Warn about averages: look at the 95th percentile, and at the same load.",
    ),
    """## Where does the time go?

Three phases, three different remedies:

| phase | you notice | bound by | what helps |
|---|---|---|---|
| queue | nothing happens | other people | more replicas, smaller `--max-num-batched-tokens` |
| prefill | slow first token | compute | shorter prompts, prefix caching |
| decode | slow stream | memory bandwidth | quantisation, speculative decoding |

Four numbers tell them apart:

- **TTFT**, time to the first token: queue plus prefill
- **time to the first *answer* token**: the same plus all reasoning
- **ITL**, the gap between tokens: decode
- **tokens per second** of one request, which says little about the server

```sh
vllm bench serve --model Qwen/Qwen3-8B \\
  --dataset-name random --random-input-len 1024 --random-output-len 256 \\
  --request-rate 4 --num-prompts 200
```

Raise the rate until the 95th percentile of TTFT bends upwards. That bend, not the largest throughput, is what your
server can carry.

> A single curl measures an empty server. Users never meet that one.""",
)

PARALLEL = Topic(
    "several GPUs",
    "(?:tensor|pipeline|data|expert)[ -]parallel\\w*|multi[ -]?gpu|several gpus|nvlink",
    (
        "About using several GPUs.",
        "Tensor parallel splits each layer, needs fast links.",
        "Pipeline parallel splits by layers, tolerates slow links, adds latency.",
        "Data parallel copies the model; best for throughput when one copy fits.",
        "Give a rule for choosing.",
    ),
    """## Several GPUs

| kind | splits | needs | use it when |
|---|---|---|---|
| tensor | every layer | fast links (NVLink) | one copy does not fit, or latency matters |
| pipeline | the stack of layers | any link | several machines, slow network |
| data | nothing, copies | memory for copies | one copy fits and you want throughput |
| expert | the experts of an MoE | fast links | large mixture-of-experts models |

A rule that is right most of the time:

1. Does it fit on one GPU with room for the cache? **Do not split.** Run copies.
2. Does it fit on one machine? Tensor parallel over the GPUs of that machine.
3. Otherwise tensor parallel within a machine, pipeline parallel between them.

```sh
vllm serve openai/gpt-oss-120b --tensor-parallel-size 4
```

The tensor parallel size must divide the number of attention heads. Powers of two are the safe choice.""",
)

METRICS = Topic(
    "watching a server",
    "metrics?|watch(?:ing)? (?:a|my|the) server|prometheus|grafana|monitor\\w*|observab\\w*|dashboard|gauges?",
    (
        "They want to watch a server.",
        "Name the few metrics that matter rather than all of them.",
        "Explain how to read them together, since one alone misleads.",
        "A short query for the hit rate is useful.",
    ),
    """## Six numbers worth watching

`GET /metrics` speaks Prometheus. Most of it is for later; start here:

| metric | says |
|---|---|
| `vllm:num_requests_running` | how many are in the batch |
| `vllm:num_requests_waiting` | how many are not |
| `vllm:kv_cache_usage_perc` | how full the cache is, 0 to 1 |
| `vllm:num_preemptions_total` | how often a request was thrown out |
| `vllm:prefix_cache_hits_total` | tokens that came for free |
| `vllm:time_to_first_token_seconds` | what people feel |

Read them **together**:

- waiting > 0, cache < 50 %: the limit is `--max-num-seqs`, not memory
- waiting > 0, cache near 100 %: the server is full
- preemptions rising: it is over-full; admit fewer or shorten the window

```promql
rate(vllm:prefix_cache_hits_total[5m]) / rate(vllm:prefix_cache_queries_total[5m])
```

An alert on *waiting for more than a minute* finds most real trouble, and hardly ever wakes anybody for nothing.""",
)

TOPICS = (START, MEMORY, SPEED, PARALLEL, METRICS)
