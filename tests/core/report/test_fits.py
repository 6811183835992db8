"""Which variants are drawn at which node class."""

from __future__ import annotations

from cfslurm.core.hardware.classes import node_classes
from cfslurm.core.report.fits import fits_of_catalog
from tests.builders import CATALOGUE, ENGINES, catalog, graph, lab, node, three_sizes


def test_each_class_gets_the_fewest_gpus_that_a_variant_needs() -> None:
    classes = node_classes(lab())
    found = fits_of_catalog(catalog(chat=three_sizes()), classes, ENGINES)
    assert found["a100_80-x4"][0] == "fits chat bfloat16 on 1 GPU with vllm"
    assert found["rtx4090-x8"][0].startswith("fits chat bfloat16 on 4 GPUs with vllm")
    assert found["rtx4090-x8"][-1].startswith("fits chat awq on 1 GPU with vllm")
    assert found["cpu-32"] == ()


def test_a_gpu_that_nobody_knows_fits_nothing() -> None:
    classes = node_classes(graph([node("n", "gpu:zx81:4")]))
    assert CATALOGUE.names.get("zx81") is None
    assert set(fits_of_catalog(catalog(chat=three_sizes()), classes, ENGINES).values()) == {()}
