"""Write made-up but real repositories: ``python -m tests.hub.repos ROOT --set demo|tests``.

Deterministic: the bytes of a repository depend on its spec and nothing else, so a commit hash is the
same on every machine. A second run finds its stamp and does nothing.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import yaml

from tests.hub.content import SETTINGS, read_repository, settings_text
from tests.hub.gguf_files import write_extra, write_gguf
from tests.hub.shapes import config
from tests.hub.specs import SETS, RepoSpec
from tests.hub.weights import QUANTIZATION_CONFIGS, safetensors_of, shards, write_safetensors

# Goes up when the same spec makes other bytes.
_GENERATOR = 2
_STAMP = ".made.json"


def make_set(root: Path, name: str) -> None:
    """Write all repositories of a set that are not there yet, on two threads."""
    with ThreadPoolExecutor(max_workers=2) as threads:
        for _ in threads.map(lambda spec: make_repo(root, spec), SETS[name]):
            pass


def make_repo(root: Path, spec: RepoSpec) -> Path:
    """Write one repository, unless this very one lies there already."""
    folder = root / spec.repo_id
    digest = _digest(spec)
    stamp = folder / _STAMP
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == digest:
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    _write_weights(folder, spec)
    for name, text in _texts(spec).items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="latin-1")
    for name in spec.without:
        (folder / name).unlink()
    settings = {
        "gated": spec.gated,
        "private": spec.private,
        "downloads": spec.downloads,
        "renamed_from": spec.renamed_from,
        "security": spec.security,
    }
    (folder / SETTINGS).write_text(json.dumps(settings), encoding="utf-8")
    repository = read_repository(root, spec.repo_id)
    (folder / SETTINGS).write_text(settings_text(settings, repository), encoding="utf-8")
    stamp.write_text(digest, encoding="utf-8")
    return folder


def _digest(spec: RepoSpec) -> str:
    text = json.dumps([_GENERATOR, asdict(spec)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _seed(spec: RepoSpec) -> int:
    return int.from_bytes(hashlib.sha256(spec.repo_id.encode()).digest()[:8], "big")


def _write_weights(folder: Path, spec: RepoSpec) -> None:
    if spec.form == "gguf":
        stem = spec.repo_id.partition("/")[2].removesuffix("-GGUF")
        for number, group in enumerate(spec.gguf):
            write_gguf(
                folder / group.folder,
                stem,
                spec.shape,
                group.label,
                seed=_seed(spec) + number,
                parts=group.parts,
            )
        if spec.gguf_extras:
            write_extra(folder / f"{stem}.imatrix.gguf", "imatrix")
            write_extra(folder / "mmproj-F16.gguf", "mmproj")
    elif spec.form != "empty":
        tensors = safetensors_of(spec.shape, spec.form, _seed(spec))
        weight_map = {}
        for name, part in shards(tensors, spec.shards):
            write_safetensors(folder / name, part)
            weight_map.update(dict.fromkeys(part, name))
        if spec.shards > 1:
            total = sum(tensor.data.nbytes for tensor in tensors.values())
            index = {"metadata": {"total_size": total}, "weight_map": weight_map}
            (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=1))


def _texts(spec: RepoSpec) -> dict[str, str]:
    texts = {"README.md": _card(spec), ".gitattributes": "*.safetensors filter=lfs\n"}
    if spec.form != "gguf":
        texts["config.json"] = json.dumps(_config(spec), indent=2)
        texts["generation_config.json"] = json.dumps({"bos_token_id": 1, "eos_token_id": 2})
        texts["tokenizer_config.json"] = json.dumps(
            {"tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "<unk>"}
        )
        texts["tokenizer.json"] = json.dumps(_tokenizer(spec.shape.vocab))
    return {**texts, **spec.extra}


def _config(spec: RepoSpec) -> dict[str, object]:
    quantization = QUANTIZATION_CONFIGS.get(spec.form)
    merged = {
        **config(spec.shape),
        **({"quantization_config": quantization} if quantization else {}),
        **spec.config,
    }
    return {key: value for key, value in merged.items() if value is not None}


def _tokenizer(vocab: int) -> dict[str, object]:
    words = ["<unk>", "<s>", "</s>", *(f"w{number}" for number in range(vocab - 3))]
    return {
        "version": "1.0",
        "model": {
            "type": "WordLevel",
            "unk_token": "<unk>",
            "vocab": {word: number for number, word in enumerate(words)},
        },
    }


def _card(spec: RepoSpec) -> str:
    card: dict[str, object] = {"license": spec.licence, "pipeline_tag": "text-generation"}
    if spec.base:
        card |= {"base_model": spec.base, "base_model_relation": "quantized"}
    return f"---\n{yaml.safe_dump(card)}---\n# {spec.repo_id}\n\nMade up; random numbers.\n"


def main(argv: Sequence[str] | None = None) -> int:
    """Write a set into a folder."""
    parser = argparse.ArgumentParser(prog="python -m tests.hub.repos", description=__doc__)
    parser.add_argument("root", type=Path)
    parser.add_argument("--set", choices=sorted(SETS), default="demo", dest="name")
    arguments = parser.parse_args(argv)
    make_set(arguments.root, arguments.name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
