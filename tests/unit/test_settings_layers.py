"""Settings know their layer: default, file, environment, flag, session."""

from __future__ import annotations

from pathlib import Path

import pytest
from vllm_tui.domain.errors import ConfigurationError
from vllm_tui.provider.config import ProviderConfig
from vllm_tui.settings.layers import Origin, Settings, load_settings
from vllm_tui.settings.options import OPTIONS

PROFILES = """
theme = "light"
max_tokens = 100

[[providers]]
module = "provider-vllm"
instance_id = "laptop"
[providers.config]
base_url = "http://laptop:8000/v1"

[[providers]]
module = "provider-vllm"
instance_id = "gpu-box"
[providers.config]
base_url = "http://${GPU_HOST}:8000/v1"
priority = 10
max_tokens = 200
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "config.toml"
    path.write_text(text)
    return path


def test_without_anything_all_is_default() -> None:
    settings = load_settings({}, {}, None, None)
    assert {option.name: settings.value(option.name) for option in OPTIONS} == {
        option.name: option.default for option in OPTIONS
    }
    assert {settings.origin(option.name) for option in OPTIONS} == {Origin("default")}


def test_each_layer_wins_over_the_one_below_and_knows_its_place(tmp_path: Path) -> None:
    path = write(tmp_path, "max_retries = 1\ntimeout = 1\npriority = 1\ndebug = true\n")
    environ = {"VLLM_TIMEOUT": "2", "VLLM_PRIORITY": "2", "VLLM_DEBUG": "no"}
    settings = load_settings({"priority": "3", "debug": True}, environ, path).with_session("debug", False)
    assert [(settings.value(name), settings.origin(name)) for name in ("max_retries", "timeout", "priority")] == [
        (1, Origin("file", f"{path}, line 1")),
        (2.0, Origin("environment", "VLLM_TIMEOUT")),
        (3, Origin("flag", "--priority")),
    ]
    assert (settings.value("debug"), settings.origin("debug")) == (False, Origin("session", "this session"))


def test_a_reset_goes_down_one_layer_at_a_time(tmp_path: Path) -> None:
    settings = load_settings({"timeout": "3"}, {"VLLM_TIMEOUT": "2"}, write(tmp_path, "timeout = 1"))
    settings = settings.with_session("timeout", 4)
    seen: list[object] = []
    for _ in range(6):
        seen.append((settings.origin("timeout").layer, settings.value("timeout")))
        settings = settings.reset("timeout")
    assert seen == [
        ("session", 4.0),
        ("flag", 3.0),
        ("environment", 2.0),
        ("file", 1.0),
        ("default", 600.0),
        ("default", 600.0),
    ]


def test_what_was_reset_can_be_set_again() -> None:
    settings = load_settings({}, {}, None).with_session("seed", 1).reset("seed").with_session("seed", 2)
    assert settings.value("seed") == 2


def test_the_entry_below_is_what_a_reset_would_give() -> None:
    settings = load_settings({"seed": "1"}, {}, None).with_session("seed", 2)
    assert (settings.below("seed").value, settings.below("theme").value) == (1, "dark")


def test_variables_that_are_no_options_are_none_of_our_business() -> None:
    environ = {"VLLM_LOGGING_LEVEL": "DEBUG", "VLLM_USE_V1": "1", "VLLM_ENABLE_RESPONSES_API_STORE": "1"}
    assert load_settings({}, environ, None).origin("debug") == Origin("default")


def test_an_empty_variable_counts_as_unset() -> None:
    assert load_settings({}, {"VLLM_API_KEY": "", "VLLM_TIMEOUT": ""}, None).value("timeout") == 600.0


def test_the_lowest_priority_number_is_the_profile_in_use(tmp_path: Path) -> None:
    settings = load_settings({}, {"GPU_HOST": "box"}, write(tmp_path, PROFILES))
    assert (settings.profile, [profile.name for profile in settings.profiles]) == ("gpu-box", ["gpu-box", "laptop"])
    assert (settings.value("base_url"), settings.raw("base_url")) == (
        "http://box:8000/v1",
        "http://${GPU_HOST}:8000/v1",
    )
    assert (settings.value("max_tokens"), settings.value("theme")) == (200, "light")
    assert settings.origin("max_tokens") == Origin("file", f"{tmp_path / 'config.toml'}, line 17")


def test_equal_priorities_keep_the_order_of_the_file(tmp_path: Path) -> None:
    text = PROFILES.replace("priority = 10\n", "")
    settings = load_settings({}, {"GPU_HOST": "box"}, write(tmp_path, text))
    assert [profile.name for profile in settings.profiles] == ["laptop", "gpu-box"]


def test_a_named_profile_is_used_and_its_neighbours_are_not_read_for_values(tmp_path: Path) -> None:
    settings = load_settings({}, {}, write(tmp_path, PROFILES), "laptop")
    assert (settings.profile, settings.value("max_tokens")) == ("laptop", 100)


def test_changing_the_profile_keeps_what_was_set_for_the_session(tmp_path: Path) -> None:
    settings = load_settings({}, {"GPU_HOST": "box"}, write(tmp_path, PROFILES)).with_session("seed", 5)
    other = settings.with_profile("laptop")
    assert (other.profile, other.value("seed"), other.value("base_url")) == ("laptop", 5, "http://laptop:8000/v1")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gpu-bxo", "There is no profile gpu-bxo in {path}. Did you mean gpu-box? The file holds: laptop, gpu-box."),
        ("x", "There is no profile x in {path}. The file holds: laptop, gpu-box."),
    ],
)
def test_an_unknown_profile_is_refused_with_the_names_there_are(tmp_path: Path, name: str, message: str) -> None:
    path = write(tmp_path, PROFILES)
    with pytest.raises(ConfigurationError) as caught:
        load_settings({}, {"GPU_HOST": "box"}, path, name)
    assert str(caught.value) == message.format(path=path)


def test_a_missing_variable_is_named_with_option_and_line(tmp_path: Path) -> None:
    path = write(tmp_path, PROFILES)
    with pytest.raises(ConfigurationError) as caught:
        load_settings({}, {}, path)
    assert str(caught.value) == (
        f"Option base_url ({path}, line 15): The environment variable GPU_HOST is not set."
        " Set it, or write $${GPU_HOST} for the text itself."
    )


def test_a_doubled_dollar_stays_text(tmp_path: Path) -> None:
    settings = load_settings({}, {}, write(tmp_path, 'instructions = "Explain $${HOME} and $PATH"'))
    assert settings.value("instructions") == "Explain ${HOME} and $PATH"


@pytest.mark.parametrize(
    ("flags", "environ", "text", "message"),
    [
        ({"max_retries": "-1"}, {}, "", "Option max_retries: -1 is not allowed. It comes from the flag --max-retries."),
        (
            {},
            {"VLLM_RETRY_JITTER": "2"},
            "",
            "Option retry_jitter: 2.0 is not allowed. It comes from the environment variable VLLM_RETRY_JITTER.",
        ),
        ({}, {}, "\ntimeout = 'x'", "Option timeout: x is not allowed. It comes from {path}, line 2. It takes"),
        ({}, {}, "api_key = 'a b'", "Option api_key: •••••••• is not allowed."),
        ({}, {}, "[extra_body]\na = 2024-01-01", "Option extra_body: a value of type dict is not allowed. It comes"),
        ({}, {}, "tiemout = 1", "There is no option tiemout ({path}, line 1). Did you mean timeout?"),
        (
            {"max_retry_delay": "0.5"},
            {},
            "",
            "min_retry_delay 1.0 (default) and max_retry_delay 0.5 (--max-retry-delay) contradict each other.",
        ),
        ({"no_such": "1"}, {}, "", "There is no option no_such."),
    ],
)
def test_a_bad_value_names_the_place_it_came_from(
    tmp_path: Path, flags: dict[str, str | bool], environ: dict[str, str], text: str, message: str
) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigurationError) as caught:
        load_settings(dict(flags), environ, path)
    assert str(caught.value).startswith(message.format(path=path))


def test_a_value_for_the_session_is_checked_too() -> None:
    settings = load_settings({}, {}, None)
    with pytest.raises(ConfigurationError, match="Option top_p: 2 is not allowed"):
        settings.with_session("top_p", 2)
    with pytest.raises(ConfigurationError, match="contradict each other"):
        settings.with_session("min_retry_delay", 100)


def test_a_file_broken_while_running_leaves_the_last_good_settings(tmp_path: Path) -> None:
    path = write(tmp_path, "timeout = 5")
    settings = load_settings({}, {}, path)
    path.write_text("timeout = 6\nseed = \n")
    with pytest.raises(ConfigurationError, match=rf"{path} is not valid TOML: .*line 2"):
        settings.reload()
    assert settings.value("timeout") == 5.0


def test_reading_again_takes_the_new_file_and_keeps_the_session(tmp_path: Path) -> None:
    path = write(tmp_path, "timeout = 5")
    settings = load_settings({}, {}, path).with_session("seed", 9)
    path.write_text("timeout = 6")
    again = settings.reload()
    assert (again.value("timeout"), again.value("seed")) == (6.0, 9)


def test_the_mapping_for_the_provider_is_a_provider_configuration(tmp_path: Path) -> None:
    text = 'base_url = "http://box:1/v1"\nstop = ["a"]\nextra_body = {x = 1}\ntheme = "light"\n'
    mapping = load_settings({"temperature": "0"}, {"VLLM_REASONING": "low"}, write(tmp_path, text)).provider_mapping()
    config = ProviderConfig(**mapping)
    assert (config.base_url, config.stop, config.extra_body, config.temperature, config.reasoning) == (
        "http://box:1/v1",
        ("a",),
        {"x": 1},
        0.0,
        "low",
    )
    assert set(mapping) == set(ProviderConfig.model_fields)


def test_typed_readers_give_the_value_or_say_what_it_is_not() -> None:
    settings = load_settings({}, {}, None)
    assert (
        settings.text("theme"),
        settings.integer("max_tokens"),
        settings.number("timeout"),
        settings.is_on("mouse"),
        settings.text_or_none("data_folder"),
        settings.integer_or_none("retention_days"),
    ) == ("dark", 4096, 600.0, True, None, None)
    with pytest.raises(TypeError, match="mouse holds no whole number"):
        settings.integer("mouse")


def test_a_key_is_masked_where_it_is_shown() -> None:
    settings: Settings = load_settings({}, {"VLLM_API_KEY": "sk-canary"}, None)
    assert (settings.shown("api_key"), settings.value("api_key")) == ("••••••••", "sk-canary")
    assert "sk-canary" not in repr(settings)
