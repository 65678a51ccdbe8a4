"""Runs the program: `python -m vllm_tui`."""

from vllm_tui.cli.main import main

raise SystemExit(main())
