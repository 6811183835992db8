"""A model that needs two GPUs: one process for each, each with half of the matrix."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from thinking import vector_of
from weights import open_weights


def main() -> None:
    """Start a rank for each GPU, join their halves, compare with the whole."""
    size = int(os.environ["CFSLURM_TENSOR_PARALLEL_SIZE"])
    gpus = os.environ["CUDA_VISIBLE_DEVICES"].split(",")
    if len(gpus) != size:
        raise SystemExit(f"tensor parallel {size}, but {len(gpus)} GPU(s) are visible: {gpus}")
    ranks = [
        subprocess.Popen(
            [sys.executable, __file__, str(rank), str(size)],
            env={**os.environ, "CUDA_VISIBLE_DEVICES": gpu},
            stdout=subprocess.PIPE,
        )
        for rank, gpu in enumerate(gpus)
    ]
    parts = [np.frombuffer(process.communicate()[0], dtype=np.float32) for process in ranks]
    whole = half(0, 1)
    if not np.array_equal(np.concatenate(parts), whole):
        raise SystemExit("the halves do not make the whole")
    print(f"atlas: {size} GPUs {gpus}, {whole.size} activations, norm {np.linalg.norm(whole):.6f}")


def half(rank: int, size: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """The rows of the matrix that belong to a rank, times the question."""
    matrix = open_weights(Path(os.environ["CFSLURM_MODEL_PATH"])).expert(0)
    rows = matrix.shape[0] // size
    mine = matrix[rank * rows : (rank + 1) * rows]
    # One row after the other: a matrix product may add in another order for another number of rows.
    return np.array([row @ vector_of("atlas") for row in mine], dtype=np.float32)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.stdout.buffer.write(half(int(sys.argv[1]), int(sys.argv[2])).tobytes())
    else:
        main()
