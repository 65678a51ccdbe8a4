"""Saving is whole or not at all, private, keeps a backup, and loses nothing of another program."""

from __future__ import annotations

import fcntl
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from vllm_tui.domain.errors import ConfigurationError
from vllm_tui.settings.document import parse_document, read_document
from vllm_tui.settings.layers import load_settings
from vllm_tui.settings.saving import UNSET, Edit, save_edits, save_session, session_edits, shown_difference

PROFILES = """\
theme = "light"

[[providers]]
module = "provider-vllm"
instance_id = "box"
source = "somewhere"

[providers.config]
base_url = "http://box:1/v1"
api_key = "${BOX_KEY}"
"""


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_first_save_makes_a_private_folder_and_a_private_file(tmp_path: Path) -> None:
    path = tmp_path / "vllm-tui" / "config.toml"
    saved = save_edits(read_document(path), [Edit("temperature", 0.0)], {})
    assert (path.read_text(), saved.values) == ("temperature = 0.0\n", {"temperature": 0.0})
    assert (mode(path.parent), mode(path)) == (0o700, 0o600)
    assert not path.with_name("config.toml.bak").exists()


def test_the_previous_file_is_kept_and_an_open_one_becomes_private(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("# mine\nseed = 1\n")
    path.chmod(0o644)
    save_edits(read_document(path), [Edit("seed", 2)], {})
    backup = path.with_name("config.toml.bak")
    assert (path.read_text(), backup.read_text()) == ("seed = 2\n", "# mine\nseed = 1\n")
    assert (mode(path), mode(backup)) == (0o600, 0o600)


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    target = tmp_path / "dotfiles.toml"
    target.write_text("seed = 1\n")
    link = tmp_path / "config.toml"
    link.symlink_to(target)
    save_edits(read_document(link), [Edit("seed", 2)], {})
    assert (link.is_symlink(), target.read_text()) == (True, "seed = 2\n")


def test_only_what_is_edited_changes(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(PROFILES)
    environ = {"BOX_KEY": "k"}
    edits = [Edit("timeout", 5.0, "box"), Edit("base_url", "http://new:1/v1", "box"), Edit("theme", UNSET)]
    save_edits(read_document(path), [*edits, Edit("seed", None), Edit("stop", ("a",), "other")], environ)
    assert tomllib.loads(path.read_text()) == {
        "seed": "null",
        "providers": [
            {
                "module": "provider-vllm",
                "instance_id": "box",
                "source": "somewhere",
                "config": {"base_url": "http://new:1/v1", "api_key": "${BOX_KEY}", "timeout": 5.0},
            },
            {"module": "provider-vllm", "instance_id": "other", "config": {"stop": ["a"]}},
        ],
    }


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (Edit("top_p", 7), "Option top_p: 7 is not allowed."),
        (Edit("extra_body", {"a": None}), "Option extra_body can't be written to TOML"),
        (Edit("extra_body", {"a": [{"b": None}]}, "box"), "Option extra_body can't be written to TOML"),
        (Edit("instructions", "${NOT_SET}"), "Option instructions"),
        (Edit("tepm", 1), "There is no option tepm"),
    ],
)
def test_a_refused_edit_leaves_the_file_as_it_was(tmp_path: Path, edit: Edit, message: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(PROFILES)
    with pytest.raises(ConfigurationError) as caught:
        save_edits(read_document(path), [edit], {"BOX_KEY": "k"})
    assert str(caught.value).startswith(message)
    assert path.read_text() == PROFILES


def test_a_change_of_another_program_to_another_key_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("seed = 1\n")
    seen = read_document(path)
    save_edits(read_document(path), [Edit("timeout", 9.0)], {})
    save_edits(seen, [Edit("seed", 2)], {})
    assert tomllib.loads(path.read_text()) == {"seed": 2, "timeout": 9.0}


def test_a_change_of_another_program_to_the_same_key_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("seed = 1\n")
    seen = read_document(path)
    save_edits(read_document(path), [Edit("seed", 5)], {})
    with pytest.raises(ConfigurationError) as caught:
        save_edits(seen, [Edit("seed", 2), Edit("timeout", 1.0)], {})
    assert str(caught.value) == (
        f"{path} was changed by another program since it was read: seed."
        " Nothing was saved; read the settings again, then change them."
    )
    assert path.read_text() == "seed = 5\n"


def test_the_same_change_made_twice_is_no_conflict(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    seen = read_document(path)
    save_edits(read_document(path), [Edit("stop", ("a",))], {})
    assert save_edits(seen, [Edit("stop", ("a",))], {}).values == {"stop": ["a"]}


def test_a_file_broken_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    seen = read_document(path)
    path.write_text("seed = \n")
    with pytest.raises(ConfigurationError, match="is not valid TOML"):
        save_edits(seen, [Edit("seed", 2)], {})
    assert path.read_text() == "seed = \n"


SAVE_MANY = """
import sys
from pathlib import Path
from vllm_tui.settings.document import read_document
from vllm_tui.settings.saving import Edit, save_edits
path, name = Path(sys.argv[1]), sys.argv[2]
print("ready", flush=True)
sys.stdin.readline()
for number in range(1, 26):
    save_edits(read_document(path), [Edit(name, number)], {})
"""


def test_programs_saving_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    names = ("seed", "max_tokens", "top_k")
    programs = [
        subprocess.Popen(
            [sys.executable, "-c", SAVE_MANY, str(path), name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for name in names
    ]
    for program in programs:
        assert program.stdout is not None
        assert program.stdout.readline() == "ready\n"
    outputs = [program.communicate("go\n") for program in programs]
    assert [program.returncode for program in programs] == [0, 0, 0], outputs
    assert tomllib.loads(path.read_text()) == dict.fromkeys(names, 25)


def test_a_program_that_never_ends_saving_is_not_waited_for_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "config.toml"
    monkeypatch.setattr("vllm_tui.settings.saving.LOCK_SECONDS", 0.05)
    with (tmp_path / ".config.toml.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(ConfigurationError, match=f"Another program is saving {path}"):
            save_edits(read_document(path), [Edit("seed", 1)], {})
    assert save_edits(read_document(path), [Edit("seed", 1)], {}).values == {"seed": 1}


SAVE_FOREVER = """
import sys
from pathlib import Path
from vllm_tui.settings.document import read_document
from vllm_tui.settings.saving import Edit, save_edits
path = Path(sys.argv[1])
number = 0
while True:
    number += 1
    save_edits(read_document(path), [Edit("seed", number), Edit("instructions", "x" * 200_000)], {})
    if number == 3:
        print("saving", flush=True)
"""


def test_a_kill_during_saving_leaves_a_readable_file(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    for _ in range(4):
        program = subprocess.Popen([sys.executable, "-c", SAVE_FOREVER, str(path)], stdout=subprocess.PIPE, text=True)
        assert program.stdout is not None
        assert program.stdout.readline() == "saving\n"
        program.kill()
        program.communicate()
        assert len(str(read_document(path).values["instructions"])) == 200_000
    save_edits(read_document(path), [Edit("seed", 1)], {})
    assert sorted(item.name for item in tmp_path.iterdir()) == [".config.toml.lock", "config.toml", "config.toml.bak"]


def test_a_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "folder").write_text("")
    path = tmp_path / "folder" / "config.toml"
    with pytest.raises(ConfigurationError, match=f"{path} can't be"):
        save_edits(parse_document("", path), [Edit("seed", 1)], {})


def test_the_difference_shows_no_key(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('api_key = "sk-old"\nextra_body = {token = "t0k"}\nbase_url = "http://u:pw@h/v1"\nseed = 1\n')
    shown = shown_difference(read_document(path), [Edit("api_key", "sk-new"), Edit("seed", 2)])
    assert "-seed = 1\n+seed = 2" in shown
    assert shown.endswith("~ api_key changes (not shown)")
    assert [word for word in ("sk-old", "sk-new", "t0k", "pw@") if word in shown] == []


def test_no_change_shows_no_difference() -> None:
    assert shown_difference(parse_document("seed = 1", None), [Edit("seed", 1)]) == ""


def test_a_session_is_saved_to_the_profile_in_use_and_the_program_s_own_options_to_the_top(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(PROFILES)
    settings = load_settings({}, {"BOX_KEY": "k"}, path)
    settings = settings.with_session("timeout", 5).with_session("theme", "dark").reset("api_key")
    settings = settings.with_session("instructions", "${BOX_KEY} $${x}")
    assert session_edits(settings) == (
        Edit("api_key", UNSET, "box"),
        Edit("instructions", "${BOX_KEY} $${x}", None),
        Edit("timeout", 5.0, "box"),
        Edit("theme", "dark", None),
    )
    saved = save_session(settings)
    assert tomllib.loads(path.read_text()) == {
        "theme": "dark",
        "instructions": "${BOX_KEY} $${x}",
        "providers": [
            {
                "module": "provider-vllm",
                "instance_id": "box",
                "source": "somewhere",
                "config": {"base_url": "http://box:1/v1", "timeout": 5.0},
            }
        ],
    }
    assert [(saved.origin(name).layer, saved.value(name)) for name in ("timeout", "theme", "api_key")] == [
        ("file", 5.0),
        ("file", "dark"),
        ("default", "EMPTY"),
    ]
    assert session_edits(saved) == ()


def test_a_saved_value_that_a_flag_hides_stays_in_force(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    saved = save_session(load_settings({"seed": "1"}, {}, path).with_session("seed", 2))
    assert (path.read_text(), saved.value("seed"), saved.origin("seed").layer) == ("seed = 2\n", 2, "session")


@pytest.mark.parametrize(
    ("text", "has_comments"),
    [
        ("seed = 1", False),
        ("# mine", True),
        ("seed = 1 # mine", True),
        ('instructions = "# not"', False),
        ('instructions = "a \\" # b"', False),
        ("instructions = '''\n# text\n'''", False),
        ('instructions = """\n# text \\""" # text"""', False),
        ("instructions = '''it's''' # mine", True),
    ],
)
def test_comments_are_noticed_before_they_are_lost(text: str, has_comments: bool) -> None:
    assert parse_document(text, None).has_comments is has_comments
