"""What cannot be written into Slurm's files, and what each filter lets through."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cfslurm.core.render.conf_text import is_plain_path, render
from cfslurm.errors import UserInputError


def _one(filter_name: str, value: object) -> str:
    return render(f"{{{{ v | {filter_name} }}}}", {"v": value}, name="gres.conf")


@pytest.mark.parametrize("filter_name", ["conf", "word", "feature"])
@pytest.mark.parametrize(
    "text", ["a b", "a#b", 'a"b', "a'b", "a\nb", "a\\b", "", "a;b", "a%n", "a\tb", "ä", "a\x00"]
)
def test_what_slurm_reads_in_another_way_is_refused(filter_name: str, text: str) -> None:
    with pytest.raises(UserInputError, match="cannot be written into Slurm's files"):
        _one(filter_name, text)


@pytest.mark.parametrize("text", ["a,b", "a=b", "n[1-2]", "a:b", "-a", "/dev/x"])
def test_a_word_is_one_word(text: str) -> None:
    with pytest.raises(UserInputError, match="cannot be written"):
        _one("word", text)


def test_no_value_but_a_feature_holds_an_equals_sign() -> None:
    assert _one("feature", "rack=7") == "rack=7"
    with pytest.raises(UserInputError):
        _one("conf", "rack=7")


def test_node_names_are_folded_after_they_are_checked() -> None:
    assert _one("hostlist", ("n1", "n2", "login")) == "login,n[1-2]"
    with pytest.raises(UserInputError):
        _one("hostlist", ("n1 Gres=gpu:8",))


@given(st.text())
def test_a_remark_stays_on_its_line(text: str) -> None:
    try:
        written = _one("remark", text)
    except UserInputError:
        return
    assert len(written.splitlines()) <= 1
    assert not written.endswith("\\")


def test_missing_value_is_refused() -> None:
    with pytest.raises(UserInputError, match="'nodes' is undefined"):
        render("{{ nodes | conf }}", {}, name="slurm.conf")


def test_value_without_filter_is_refused() -> None:
    with pytest.raises(UserInputError, match="without a filter"):
        render("{{ user }}", {"user": "ada"}, name="slurm.conf")


def test_template_with_a_mistake_names_its_file() -> None:
    with pytest.raises(UserInputError, match=r"the template of gres\.conf cannot be filled in"):
        render("{% if %}", {}, name="gres.conf")


@pytest.mark.parametrize(
    ("path", "plain"),
    [
        ("/home/ada/.local/state/cfslurm-1_x+y", True),
        ("/home/ada lovelace", False),
        ("/home/a,b", False),
        ("/home/a[1]", False),
        ("/home/a%n", False),
        ("/home/ä", False),
        ("/home/a#b", False),
        ("/home/a=b", False),
    ],
)
def test_only_plain_paths_go_into_slurm_conf(path: str, plain: bool) -> None:
    assert is_plain_path(path) is plain
