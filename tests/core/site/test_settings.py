from __future__ import annotations

import pytest

from cfslurm.core.site.settings import Layer, settle
from cfslurm.errors import UserInputError


def _layer(origin: str, **values: str) -> Layer:
    return Layer(values=values, origins=dict.fromkeys(values, origin))


def test_first_layer_has_the_last_word_and_says_so() -> None:
    settings = settle(
        [_layer("$CFSLURM_RUNS", runs="/a"), _layer("site.yaml:3", runs="/b", site="s")],
        user="ada",
        home="/home/ada",
    )
    assert (settings.text("runs"), settings.origin("runs")) == ("/a", "$CFSLURM_RUNS")
    assert (settings.text("site"), settings.origin("site")) == ("s", "site.yaml:3")
    assert settings.origin("prefetch_on") == "built-in"


def test_user_and_home_are_filled_in() -> None:
    settings = settle(
        [_layer("x", runs="/scratch/$USER/runs", model_cache="$HOME/m")],
        user="ada",
        home="/home/ada",
    )
    assert (settings.text("runs"), settings.text("model_cache")) == (
        "/scratch/ada/runs",
        "/home/ada/m",
    )


@pytest.mark.parametrize("path", ["runs", "./runs", "$SCRATCH/runs", "$(id)", "~/runs"])
def test_path_that_means_something_else_elsewhere_is_refused(path: str) -> None:
    with pytest.raises(UserInputError, match="runs is"):
        settle([_layer("x", runs=path)], user="ada", home="/home/ada")


@pytest.mark.parametrize("where", ["login", "job", "partition:cpu"])
def test_prefetch_has_three_places(where: str) -> None:
    settings = settle([_layer("site.yaml:9", prefetch_on=where)], user="ada", home="/home/ada")
    assert settings.text("prefetch_on") == where


@pytest.mark.parametrize("where", ["lgoin", "partition", "partition:", "cpu", "Job"])
def test_prefetch_elsewhere_is_not_taken_for_a_job(where: str) -> None:
    with pytest.raises(UserInputError, match=r"prefetch_on is .*site\.yaml:9"):
        settle([_layer("site.yaml:9", prefetch_on=where)], user="ada", home="/home/ada")
