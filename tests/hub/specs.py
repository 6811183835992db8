"""The made-up repositories: a set for the demo (1 MiB stands for 1 GiB) and a set for tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from tests.hub.shapes import Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Gguf:
    """One quantization in a GGUF repository; ``folder`` is where its files lie."""

    label: str
    parts: int = 1
    folder: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RepoSpec:
    """One repository.

    ``form`` is ``full``, ``fp8``, ``awq``, ``gptq``, ``gguf`` or ``empty``. ``base`` is what the
    model card calls its base model. ``config`` changes keys of config.json; None takes a key away.
    ``extra`` are further files, written as they stand; ``without`` are files that are left out; ``security`` is what scanners say.
    """

    repo_id: str
    shape: Shape
    form: str = "full"
    base: str = ""
    shards: int = 1
    gguf: tuple[Gguf, ...] = ()
    gguf_extras: bool = False
    licence: str = "apache-2.0"
    gated: str = ""
    private: bool = False
    downloads: int = 0
    renamed_from: str = ""
    config: Mapping[str, object] = field(default_factory=dict)
    extra: Mapping[str, str] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    security: Mapping[str, object] | None = None


def _family(base: RepoSpec, *, maker: str, downloads: int) -> tuple[RepoSpec, ...]:
    """A base model and the quantized repositories that its users published."""
    name = base.repo_id.partition("/")[2]
    child = replace(base, base=base.repo_id, shards=1, config={}, downloads=downloads)
    return (
        base,
        replace(child, repo_id=f"{base.repo_id}-FP8", form="fp8", config=base.config),
        replace(child, repo_id=f"{maker}/{name}-AWQ", form="awq", config=base.config),
        replace(child, repo_id=f"{maker}/{name}-GPTQ", form="gptq", config=base.config),
        replace(
            child,
            repo_id=f"{maker}/{name}-GGUF",
            form="gguf",
            gguf=(Gguf(label="Q8_0", parts=2), Gguf(label="Q4_K_M")),
            gguf_extras=True,
        ),
    )


_VISION = {"vision_config": {"model_type": "clip_vision_model", "hidden_size": 64}}

DEMO = (
    *_family(
        RepoSpec(
            repo_id="lab/judge-20b",
            shape=Shape(layers=5, experts=42, vocab=2048),
            downloads=9000,
        ),
        maker="quantlab",
        downloads=800,
    ),
    *_family(
        RepoSpec(
            repo_id="lab/atlas-30b",
            shape=Shape(layers=6, experts=52, vocab=2048),
            shards=2,
            downloads=7000,
        ),
        maker="quantlab",
        downloads=700,
    ),
    *_family(
        RepoSpec(
            repo_id="lab/vision-8b",
            shape=Shape(layers=2, experts=37, vocab=1024),
            downloads=6000,
            config=_VISION,
        ),
        maker="quantlab",
        downloads=600,
    ),
    *_family(
        RepoSpec(
            repo_id="lab/coder-15b",
            shape=Shape(layers=3, experts=48, vocab=1024),
            downloads=5000,
        ),
        maker="quantlab",
        downloads=500,
    ),
)

_TINY = Shape(layers=1, experts=2, vocab=320)
_CHILD = RepoSpec(repo_id="", shape=_TINY, base="acme/tiny")
_PICKLE = "\x80\x04not really a pickle"

TESTS = (
    RepoSpec(
        repo_id="acme/tiny",
        shape=_TINY,
        shards=2,
        downloads=1000,
        renamed_from="acme/tiny-preview",
        security={"scansDone": True},
        extra={
            "consolidated.safetensors": "a second copy, which must not be taken",
            "original/params.json": "{}",
            "original/consolidated.00.pth": _PICKLE,
            "pytorch_model.bin": _PICKLE,
            "modeling_tiny.py": "raise SystemExit('never run')\n",
            "training_args.bin": _PICKLE,
        },
    ),
    replace(_CHILD, repo_id="acme/tiny-FP8", form="fp8", downloads=900),
    replace(_CHILD, repo_id="quantco/tiny-AWQ", form="awq", downloads=800),
    replace(_CHILD, repo_id="quantco/tiny-GPTQ", form="gptq", downloads=700),
    replace(
        _CHILD,
        repo_id="quantco/tiny-GGUF",
        form="gguf",
        downloads=600,
        gguf=(
            Gguf(label="Q8_0"),
            Gguf(label="Q4_K_M"),
            Gguf(label="Q5_0", parts=2, folder="Q5_0"),
        ),
        gguf_extras=True,
    ),
    replace(_CHILD, repo_id="acme/tiny-gated-FP8", form="fp8", gated="manual", downloads=500),
    replace(_CHILD, repo_id="acme/tiny-private-FP8", form="fp8", private=True, downloads=400),
    replace(
        _CHILD,
        repo_id="quantco/tiny-AWQ-noconfig",
        form="awq",
        without=("config.json",),
        downloads=300,
    ),
    replace(
        _CHILD,
        repo_id="quantco/tiny-exl",
        form="awq",
        config={"quantization_config": {"quant_method": "exl9", "bits": 3}},
        downloads=200,
    ),
    # Its card says that it is a quantized tiny, its name says AWQ; it is another, unquantized model.
    replace(
        _CHILD, repo_id="liar/tiny-AWQ", shape=replace(_TINY, layers=2), form="full", downloads=100
    ),
    replace(
        _CHILD,
        repo_id="quantco/tiny-pickle",
        form="empty",
        extra={"pytorch_model.bin": _PICKLE},
        security={
            "scansDone": True,
            "filesWithIssues": [{"path": "pytorch_model.bin", "level": "unsafe"}],
        },
        downloads=90,
    ),
    replace(
        _CHILD,
        repo_id="quantco/tiny-code",
        form="fp8",
        config={
            "model_type": "tinycode",
            "auto_map": {"AutoModelForCausalLM": "modeling_tiny.TinyForCausalLM"},
        },
        extra={"modeling_tiny.py": "raise SystemExit('never run')\n"},
        downloads=80,
    ),
    RepoSpec(repo_id="acme/gated", shape=_TINY, gated="auto", licence="other"),
    RepoSpec(repo_id="acme/private", shape=_TINY, private=True),
    RepoSpec(
        repo_id="acme/old",
        shape=_TINY,
        form="empty",
        extra={"pytorch_model.bin": _PICKLE},
    ),
)

SETS: Mapping[str, tuple[RepoSpec, ...]] = {"demo": DEMO, "tests": TESTS}
