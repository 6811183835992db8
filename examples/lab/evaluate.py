"""One question of the evaluation: opens the variant of this node, answers, writes down the result."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

from thinking import think
from weights import open_weights


def main() -> None:
    """Answer one question."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--question", required=True)
    question = parser.parse_args().question
    score = think(open_weights(Path(os.environ["CFSLURM_MODEL_PATH"])), f"question {question}")
    result = {
        "question": question,
        "score": score,
        "variant": os.environ["CFSLURM_VARIANT"],
        "gpu": os.environ.get("CUDA_VISIBLE_DEVICES", ""),
    }
    print(json.dumps(result))
    Path(os.environ["CFSLURM_RESULT"]).write_text(json.dumps(result))
    results = Path(os.environ["CFSLURM_RUN_DIR"]) / "results"
    results.mkdir(exist_ok=True)
    (results / f"{os.environ['CFSLURM_INDEX']}.json").write_text(json.dumps(result))


if __name__ == "__main__":
    main()
