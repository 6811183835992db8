"""Runs when everything else has ended: what the evaluation gave, by variant."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from pathlib import Path
from statistics import mean


def main() -> None:
    """Print the mean score of each variant."""
    scores: dict[str, list[float]] = defaultdict(list)
    for path in sorted((Path(os.environ["CFSLURM_RUN_DIR"]) / "results").glob("*.json")):
        result = json.loads(path.read_text())
        scores[result["variant"]].append(result["score"])
    for variant, values in sorted(scores.items()):
        print(f"{variant}: {len(values)} answers, mean score {mean(values):+.6f}")
    Path(os.environ["CFSLURM_RESULT"]).write_text(
        json.dumps({k: len(v) for k, v in scores.items()})
    )


if __name__ == "__main__":
    main()
