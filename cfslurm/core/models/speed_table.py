"""Efficiencies from the table: what is known of an engine, a GPU, a dtype, an attention kind.

A row is a factor for everything that its key matches; an empty cell matches all. The rows of a
parameter are multiplied, the one without a key being its base. Where the measurements say little of
a key, the fit has left its factor near 1: an unknown key falls back on its parents by itself.

Source: ``speed_efficiencies.csv``, written by ``python -m benchmarks.fit_speed``.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace

from cfslurm.core.models.roofline import Efficiency

PARAMETERS = tuple(field.name for field in fields(Efficiency))
_KEYS = ("engine", "version", "gpu", "capability", "dtype", "attention")


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeedKey:
    """Whose efficiency is asked for.

    ``version`` is the engine's; empty takes the newest that was measured. ``gpu`` is a key of the
    GPU catalogue, ``capability`` its compute capability, ``dtype`` the arithmetic that is used,
    ``attention`` is ``mha``, ``gqa``, ``mla`` or ``other``.
    """

    engine: str
    version: str
    gpu: str
    capability: str
    dtype: str
    attention: str

    @property
    def cells(self) -> tuple[str, ...]:
        """All parts, in the order of the table's columns."""
        return self.engine, self.version, self.gpu, self.capability, self.dtype, self.attention


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeedRow:
    """One row: a factor for all keys whose non-empty cells are equal.

    ``rows`` is the number of measurements behind it.
    """

    parameter: str
    key: SpeedKey
    factor: float
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Standard deviation of log(predicted / measured) on measurements that the fit had not seen.

    ``same`` where the engine was measured on this GPU with other models or lengths, ``engine`` where
    it was measured on other GPUs only, ``other`` where the engine was not measured at all.
    """

    same: float
    engine: float
    other: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An efficiency, how far its prediction may be off, and what that rests on.

    ``spread`` is as in `Spread`; ``rows`` counts measurements of this engine on this GPU, or of the
    engine where there are none.
    """

    efficiency: Efficiency
    spread: float
    rows: int
    basis: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeedTable:
    """All rows, and the spreads."""

    rows: tuple[SpeedRow, ...]
    spread: Spread

    def find(self, key: SpeedKey) -> Found:
        """The efficiency of a key, from all rows that match it."""
        key = self._measured_version(key)
        values = dict.fromkeys(PARAMETERS, 1.0)
        for row in self.rows:
            if matches(row.key, key):
                values[row.parameter] *= row.factor
        spread, rows, basis = self._basis(key)
        return Found(efficiency=Efficiency(**values), spread=spread, rows=rows, basis=basis)

    def _measured_version(self, key: SpeedKey) -> SpeedKey:
        """The newest measured version that is not newer than the asked one; the oldest if all are."""
        versions = sorted(
            {row.key.version for row in self.rows if row.key.engine == key.engine} - {""},
            key=_version_number,
        )
        asked = _version_number(key.version)
        older = [v for v in versions if not key.version or _version_number(v) <= asked]
        version = older[-1] if older else versions[0] if versions else ""
        return replace(key, version=version)

    def _basis(self, key: SpeedKey) -> tuple[float, int, str]:
        on_gpu = [r.rows for r in self.rows if r.key.engine == key.engine and r.key.gpu == key.gpu]
        if any(on_gpu):
            return self.spread.same, max(on_gpu), f"{key.engine} on this GPU"
        of_engine = [row.rows for row in self.rows if row.key.engine == key.engine]
        if any(of_engine):
            return self.spread.engine, max(of_engine), f"{key.engine} on other GPUs"
        return self.spread.other, 0, "other engines"


def _version_number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def matches(pattern: SpeedKey, key: SpeedKey) -> bool:
    """True where every non-empty cell of the pattern is the key's."""
    pairs = zip(pattern.cells, key.cells, strict=True)
    return all(not wanted or wanted == cell for wanted, cell in pairs)


def read_speed_table(text: str) -> SpeedTable:
    """Read the CSV; ``#`` lines are remarks, rows whose parameter begins with ``spread_`` spreads."""
    found = list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))
    spreads = {
        row["parameter"].removeprefix("spread_"): float(row["factor"])
        for row in found
        if row["parameter"].startswith("spread_")
    }
    return SpeedTable(
        rows=tuple(_row(row) for row in found if row["parameter"] in PARAMETERS),
        spread=Spread(**spreads),
    )


def _row(row: dict[str, str]) -> SpeedRow:
    return SpeedRow(
        parameter=row["parameter"],
        key=SpeedKey(**{name: row[name] for name in _KEYS}),
        factor=float(row["factor"]),
        rows=int(row["rows"]),
    )


def speed_table_text(table: SpeedTable, remarks: Iterable[str]) -> str:
    """The inverse of `read_speed_table`."""
    lines = [f"# {remark}" for remark in remarks]
    lines.append(",".join(("parameter", *_KEYS, "factor", "rows")))
    for name in ("same", "engine", "other"):
        cells = ["" for _ in _KEYS]
        lines.append(",".join((f"spread_{name}", *cells, f"{getattr(table.spread, name):.3f}", "")))
    for row in table.rows:
        lines.append(",".join((row.parameter, *row.key.cells, f"{row.factor:.6g}", str(row.rows))))
    return "\n".join(lines) + "\n"
