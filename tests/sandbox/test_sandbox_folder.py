"""Where a sandbox lies, by which name Slurm reaches it, and what is never deleted."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from cfslurm.adapters.environment import Environment
from cfslurm.errors import SetupError, UserInputError
from cfslurm.sandbox import folder


def _environment(**variables: str) -> Environment:
    return Environment(
        variables=variables, user="ada", uid=1000, home=Path("/home/ada"), host="login1",
        directory=Path("/data/here"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, "/home/ada/.local/state/cfslurm/sandbox/default"),
        ({"XDG_STATE_HOME": ""}, "/home/ada/.local/state/cfslurm/sandbox/default"),
        ({"XDG_STATE_HOME": "relative"}, "/home/ada/.local/state/cfslurm/sandbox/default"),
        ({"XDG_STATE_HOME": "/scratch/ada"}, "/scratch/ada/cfslurm/sandbox/default"),
    ],
)
def test_default_folder_follows_the_xdg_rules(variables: dict[str, str], expected: str) -> None:
    assert folder.locate("default", None, _environment(**variables)) == Path(expected)


def test_given_folder_is_taken_from_where_the_user_stands() -> None:
    assert folder.locate("x", Path("../box/./a"), _environment()) == Path("/data/box/a")


@pytest.mark.parametrize("name", ["", "..", "a/b", "-x", "a b", "ä", "x" * 64])
def test_impossible_name_is_refused(name: str) -> None:
    with pytest.raises(UserInputError, match="cannot be the name of a sandbox"):
        folder.locate(name, None, _environment())


@pytest.mark.parametrize("name", ["a\nb", "a\x1b[2Jb", "a\udc80b"])
def test_folder_that_no_file_can_carry_is_refused(name: str) -> None:
    with pytest.raises(UserInputError, match="no file can carry"):
        folder.locate("x", Path(name), _environment())


def test_short_plain_path_needs_no_other_name(tmp_path: Path) -> None:
    place = Path("/home/ada/box")
    assert folder.short_name(place, longest_node_name=9, is_root=False) == place


@pytest.mark.parametrize("name", ["a b", "a,b", "ü", "x" * 60])
def test_path_that_slurm_cannot_carry_gets_a_short_name_that_goes_away(
    name: str, tmp_path: Path
) -> None:
    place = tmp_path / name
    place.mkdir()
    short = folder.short_name(place, longest_node_name=9, is_root=False)
    assert short.resolve() == place
    assert short.parent.stat().st_mode & 0o777 == 0o700
    folder.remove(folder.Layout(folder=place, prefix=short), ())
    assert not short.parent.exists()
    assert not place.exists()


def test_short_name_that_has_become_something_else_is_left_alone(tmp_path: Path) -> None:
    place, other = tmp_path / "place", tmp_path / "other"
    place.mkdir()
    other.mkdir()
    (other / "s").symlink_to("/etc")
    folder.remove(folder.Layout(folder=place, prefix=other / "s"), ())
    assert (other / "s").is_symlink()


def test_parents_that_were_made_go_only_when_they_are_empty(tmp_path: Path) -> None:
    made = folder.create(tmp_path / "a/b/box")
    (tmp_path / "a/thesis").write_text("text")
    folder.remove(folder.Layout(folder=tmp_path / "a/b/box", prefix=tmp_path / "a/b/box"), made)
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["thesis"]


def test_folder_is_locked_once(tmp_path: Path) -> None:
    with (
        folder.locked(tmp_path),
        pytest.raises(SetupError, match="another cfslurm is working"),
        folder.locked(tmp_path),
    ):
        pass


def test_lock_of_a_folder_that_was_made_anew_is_not_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "box"
    place.mkdir()

    def made_anew_meanwhile(descriptor: int, operation: int) -> None:
        place.rename(tmp_path / "old")
        place.mkdir()

    monkeypatch.setattr("fcntl.flock", made_anew_meanwhile)
    with pytest.raises(SetupError, match="another cfslurm"), folder.locked(place):
        pass


def test_filesystem_without_locks_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", no_locks)
    with pytest.raises(SetupError, match="No locks available"), folder.locked(tmp_path):
        pass


def test_first_closed_folder_on_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    tmp_path.chmod(0o755)
    (tmp_path / "a").chmod(0o700)
    closed = folder.closed_parent(tmp_path / "a/b/box")
    assert closed is not None
    assert not closed.stat().st_mode & 0o001


def test_furniture_is_private_for_a_user_and_open_for_root(tmp_path: Path) -> None:
    for name, is_root in (("user", False), ("root", True)):
        (tmp_path / name).mkdir()
        layout = folder.Layout(folder=tmp_path / name, prefix=tmp_path / name)
        folder.furnish(layout, is_root=is_root)
    modes = {
        str(path.relative_to(tmp_path)): oct(path.stat().st_mode & 0o7777)
        for path in (tmp_path / "user", tmp_path / "root", *tmp_path.glob("*/*"))
    }
    assert modes["user"] == "0o700"
    assert modes["root"] == "0o755"
    assert modes["root/secret"] == modes["user/secret"] == "0o700"
    assert modes["root/runs"] == modes["root/models"] == "0o1777"
    assert modes["user/runs"] == "0o700"
    assert modes["root/run"] == "0o755"
