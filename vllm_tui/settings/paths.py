"""Where files belong on this system."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

APP = "vllm-tui"
CONFIG_VARIABLE = "VLLM_TUI_CONFIG"
"""Environment variable that names another configuration file."""


def config_path(environ: Mapping[str, str]) -> Path:
    """Return the path of config.toml; it need not exist."""
    named = environ.get(CONFIG_VARIABLE)
    if named:
        return Path(named).expanduser().absolute()
    import platformdirs

    return platformdirs.user_config_path(APP, appauthor=False) / "config.toml"


def default_data_folder() -> Path:
    """Return the folder of conversations; it need not exist."""
    import platformdirs

    return platformdirs.user_data_path(APP, appauthor=False)


def default_cache_folder() -> Path:
    """Return the folder of what can be fetched again; it need not exist."""
    import platformdirs

    return platformdirs.user_cache_path(APP, appauthor=False)


def default_log_folder() -> Path:
    """Return the folder of debug logs; it need not exist."""
    import platformdirs

    return platformdirs.user_log_path(APP, appauthor=False)
