"""Speed against published measurements: the data are sound, the table is the fit's, the fit shrinks."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from benchmarks import fit_speed, prediction
from benchmarks.prediction_speed import shipped
from benchmarks.speed_rows import (
    FILES,
    Row,
    by_group,
    errors,
    load,
    log_ratio,
    predicted,
    read_rows,
)
from cfslurm.core.models.rates import speed_key


@pytest.fixture(scope="module")
def rows() -> tuple[Row, ...]:
    return read_rows()


def test_every_measurement_is_whole_and_says_where_it_was_published(rows: tuple[Row, ...]) -> None:
    conditions = [
        (r.engine, r.version, r.gpu, r.model, r.quantization, r.tensor_parallel_size, r.sequences,
         r.tokens_in, r.tokens_out, r.metric)
        for r in rows
    ]  # fmt: skip
    assert len(conditions) == len(set(conditions)) > 200
    assert all(row.value > 0 and len(row.source) > 20 for row in rows)
    assert {row.metric for row in rows} == {
        "output_throughput", "first_token_latency", "request_latency",
    }  # fmt: skip
    assert all(load(row).sequences >= 1 for row in rows)


def test_the_shipped_table_is_what_the_fit_gives() -> None:
    assert fit_speed.main(["--check"]) == 0


def test_measurements_that_the_fit_has_seen_are_met(rows: tuple[Row, ...]) -> None:
    table = shipped()
    found = errors([log_ratio(r, predicted(r, table.find(speed_key(r.deployment)))) for r in rows])
    assert found.median < 0.04
    assert found.within_20 > 0.95


def test_rows_that_were_left_out_are_predicted_without_them(rows: tuple[Row, ...]) -> None:
    some = rows[:24]
    found = fit_speed.left_out(some, by_group)
    assert sorted(found) == list(range(len(some)))
    changed = [*some]
    changed[0] = Row(**{**_fields(some[0]), "value": some[0].value * 3})
    again = fit_speed.left_out(changed, by_group)
    assert again[0] == pytest.approx(found[0] - math.log(3), abs=1e-6), "only its own value differs"


def test_a_factor_with_few_rows_stays_near_one(rows: tuple[Row, ...]) -> None:
    one = Row(**{**_fields(rows[0]), "value": rows[0].value / 4})
    alone = fit_speed.table_of(fit_speed.fit([one]), [one], fit_speed.NO_SPREAD)
    off = [abs(math.log(row.factor)) for row in alone.rows if any(row.key.cells) and row.rows]
    assert max(off) < 0.5, "a wrong row of one cannot move any factor far"


def test_a_wrong_row_moves_the_others_little(rows: tuple[Row, ...]) -> None:
    some = [row for row in rows if row.engine == "lmdeploy"]
    wrong = [Row(**{**_fields(some[3]), "value": some[3].value * 20}), *some[:3], *some[4:]]
    for given in (some, wrong):
        table = fit_speed.table_of(fit_speed.fit(given), given, fit_speed.NO_SPREAD)
        rest = [row for row in some if row is not some[3]]
        found = errors(
            [log_ratio(r, predicted(r, table.find(speed_key(r.deployment)))) for r in rest]
        )
        assert found.median < 0.08


def test_measurements_of_ones_own_are_predicted(tmp_path: Path) -> None:
    lines = FILES[0].read_text(encoding="utf-8").splitlines()
    mine = tmp_path / "mine.csv"
    mine.write_text("\n".join(lines[:6]) + "\n", encoding="utf-8")
    code = prediction.main(["--rows", str(mine), "--json", str(tmp_path / "found.json")])
    found = json.loads((tmp_path / "found.json").read_text())
    assert code == (not all(figure["holds"] for figure in found["figures"].values()))
    assert set(found["figures"]) == {"rows_median", "rows_mean", "rows_within_20"}
    assert len(found["tables"][0]["rows"]) == 5


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [("A100-80", "Z1000", "Z1000"), ("llama2-7b", "llama9", "llama9"), ("fp16", "fp3", "fp3")],
)
def test_what_is_not_known_is_said(tmp_path: Path, old: str, new: str, message: str) -> None:
    head, first, *_ = FILES[0].read_text(encoding="utf-8").splitlines()
    mine = tmp_path / "mine.csv"
    mine.write_text(f"{head}\n{first.replace(old, new, 1)}\n", encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        read_rows([mine])


def _fields(row: Row) -> dict[str, object]:
    return {name: getattr(row, name) for name in Row.__slots__}
