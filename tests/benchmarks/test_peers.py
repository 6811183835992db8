from __future__ import annotations

from pathlib import Path

from benchmarks import peers


def test_what_is_not_installed_is_said_with_the_command_to_get_it(tmp_path: Path) -> None:
    site = tmp_path / "lib" / "python3.11" / "site-packages"
    for name in ("vec_inf-0.9.0", "submitit-1.5.4", "other-1"):
        (site / f"{name}.dist-info").mkdir(parents=True)
    assert peers.installed(tmp_path) == {"submitit": "1.5.4", "vec-inf": "0.9.0"}
    names = [program.name for program in peers.programs(tmp_path, {}, tmp_path)]
    assert names == ["python -c import submitit", "vec-inf --help"]
    assert peers.notes(tmp_path) == (
        "peers: submitit 1.5.4, vec-inf 0.9.0",
        "not installed, so not measured: reportseff, parsl, snakemake, skypilot; to have them:",
        f"python3 -m venv {tmp_path} && {tmp_path}/bin/pip install reportseff parsl snakemake skypilot",
    )


def test_no_peers_at_all(tmp_path: Path) -> None:
    assert peers.programs(tmp_path / "none", {}, tmp_path) == ()
    assert len(peers.notes(tmp_path / "none")) == 2
