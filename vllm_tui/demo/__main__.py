"""`python -m vllm_tui.demo`: the scripted vLLM on a loopback port."""

from __future__ import annotations

import argparse
import asyncio
import sys

from vllm_tui.demo.app import DemoServer
from vllm_tui.demo.pace import Pace
from vllm_tui.demo.server import HOST, serve


def main(arguments: list[str] | None = None) -> int:
    """Serve until interrupted; return 1 when the port is taken."""
    parser = argparse.ArgumentParser(prog="python -m vllm_tui.demo", description="A scripted vLLM 0.32 on loopback.")
    parser.add_argument("--port", type=int, default=8000, help="the port on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--speed", type=float, default=1.0, help="2 is twice as fast, inf does not wait at all")
    options = parser.parse_args(arguments)
    if not options.speed > 0:
        parser.error(f"--speed {options.speed}: give a number above 0, or inf.")
    try:
        asyncio.run(_run(options.port, options.speed))
    except (OSError, OverflowError) as error:
        print(f"The demo can't listen on {HOST}:{options.port}: {error}. Choose another --port.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0
    return 0


async def _run(port: int, speed: float) -> None:
    async with serve(DemoServer(Pace(speed=speed)), port) as bound:
        print(f"Demo, no model behind it: http://{HOST}:{bound}/v1 (Ctrl+C ends it)", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    sys.exit(main())
