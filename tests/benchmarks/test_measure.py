from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from benchmarks.measure import Program, Sample, Times, beyond_ms, call, file_operations, interleaved


def _program(tmp_path: Path, code: str, name: str = "p") -> Program:
    return Program(
        name=name, argv=(sys.executable, "-I", "-c", code), env=dict(os.environ), cwd=tmp_path
    )


def _times(*walls_ms: float) -> Times:
    return Times(samples=tuple(Sample(wall_s=wall / 1000, cpu_s=0.0) for wall in walls_ms))


def test_programs_take_turns_after_a_round_that_does_not_count(tmp_path: Path) -> None:
    note = "open('log', 'a').write({!r})"
    found = interleaved([_program(tmp_path, note.format(n), n) for n in "ab"], rounds=2)
    assert (tmp_path / "log").read_text() == "ababab"
    assert {name: len(times.samples) for name, times in found.items()} == {"a": 2, "b": 2}


def test_sleep_counts_by_the_clock_and_work_by_the_cpu(tmp_path: Path) -> None:
    sample = call(_program(tmp_path, "import time; time.sleep(0.3)"))
    assert sample.wall_s >= 0.3
    work = "import time\nwhile time.process_time() < 0.2: pass"
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {work!r}])"
    assert call(_program(tmp_path, child)).cpu_s >= 0.2


def test_failed_call_is_no_measurement(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"ended with 3: oh no"):
        call(_program(tmp_path, "import sys; sys.stderr.write('oh no'); sys.exit(3)"))


def test_differences_are_those_within_a_round() -> None:
    # One disturbed round moves both calls; the difference stays what it is.
    assert beyond_ms(_times(70, 500, 72), _times(4, 430, 5)) == pytest.approx(67)
    assert _times(3, 1, 2).median_ms == pytest.approx(2)
    assert (_times(3, 1, 2).least_ms, _times(3, 1, 2).most_ms) == (1, 3)


def test_file_operations_of_a_program_that_opens_more(tmp_path: Path) -> None:
    few = file_operations(_program(tmp_path, "pass"))
    if few is None:
        pytest.skip("strace cannot trace here")
    many = file_operations(
        _program(tmp_path, "import os\nfor _ in range(50): os.path.exists('/x')")
    )
    assert many is not None
    assert 50 <= many - few <= 60
