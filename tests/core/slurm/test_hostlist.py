from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cfslurm.core.slurm.hostlist import expand, fold
from cfslurm.errors import SlurmOutputError


@pytest.mark.parametrize(
    ("hostlist", "names"),
    [
        ("n1", ("n1",)),
        ("n[1-3]", ("n1", "n2", "n3")),
        ("n[08-10,12]", ("n08", "n09", "n10", "n12")),
        ("a,b[1-2],c", ("a", "b1", "b2", "c")),
        ("r[1-2]n[0-1]", ("r1n0", "r1n1", "r2n0", "r2n1")),
        ("n[1-2]-ib0", ("n1-ib0", "n2-ib0")),
        ("", ()),
    ],
)
def test_expand(hostlist: str, names: tuple[str, ...]) -> None:
    assert expand(hostlist) == names


@pytest.mark.parametrize(
    "hostlist", ["n[1-", "n1-3]", "n[3-1]", "n[a-b]", "n[[1-2]]", "n[]", "n[1-2-3]"]
)
def test_broken_brackets_are_refused(hostlist: str) -> None:
    with pytest.raises(SlurmOutputError, match="not a hostlist"):
        expand(hostlist)


@pytest.mark.parametrize(
    "hostlist", ["n[0-9999999999]", "a[0-999]b[0-999]", "n[1-99999],m[1-99999]"]
)
def test_hostlist_bomb_is_refused(hostlist: str) -> None:
    with pytest.raises(SlurmOutputError, match="more than"):
        expand(hostlist)


@pytest.mark.parametrize(
    ("names", "hostlist"),
    [
        (["n10", "n9", "n11"], "n[9-11]"),
        (["n08", "n09", "n10"], "n[08-10]"),
        (["n9", "n09"], "n09,n9"),
        (["login", "n1"], "login,n1"),
        (["n1", "n1"], "n1"),
        ([], ""),
    ],
)
def test_fold(names: list[str], hostlist: str) -> None:
    assert fold(names) == hostlist


_NAMES = st.from_regex(r"[a-z]{1,4}-?[0-9]{0,5}", fullmatch=True)


@given(st.lists(_NAMES, max_size=40))
def test_expand_undoes_fold(names: list[str]) -> None:
    assert sorted(expand(fold(names))) == sorted(set(names))


@given(st.text(alphabet="n[]-,0123456789", max_size=30))
def test_no_text_escapes_the_error_tree(text: str) -> None:
    with contextlib.suppress(SlurmOutputError):
        expand(text)
