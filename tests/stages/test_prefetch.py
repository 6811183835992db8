"""Bringing variants into the cache: waiting, trying again, telling how far it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cfslurm.adapters.model_store import DirectoryStore
from cfslurm.core.models.variants import ModelFile, Variant
from cfslurm.errors import CacheBusyError, CacheError, HubUnavailableError
from cfslurm.ports import Hub
from cfslurm.stages.prefetch import prefetch
from tests.hub.fake import FakeClock, FakeHub

pytest_plugins = ("tests.hub.fixtures",)

FP8 = "acme/tiny-FP8@fp8"
AWQ = "quantco/tiny-AWQ@awq"


class Store:
    """A store whose fetches do what they are told, one thing after the other."""

    def __init__(self, script: dict[str, list[Exception]]) -> None:
        self.script = script
        self.fetched: list[str] = []

    def find(self, variant: Variant) -> Path | None:
        return None

    def place(self, variant: Variant) -> Path:
        return Path("/store") / variant.id

    def fetch(
        self, variant: Variant, hub: Hub, *, progress: Callable[[ModelFile, int], None]
    ) -> Path:
        self.fetched.append(variant.id)
        if left := self.script.get(variant.id):
            raise left.pop(0)
        for file in variant.files:
            progress(file, file.size_bytes)
        return self.place(variant)


def busy() -> CacheBusyError:
    return CacheBusyError("bert on login2 (pid 7) is fetching it", remedy="wait")


def down() -> HubUnavailableError:
    return HubUnavailableError("down", remedy="wait")


def run(
    names: list[str],
    store: Store,
    tiny: dict[str, Variant],
    hub: FakeHub,
    clock: FakeClock,
) -> tuple[tuple[Path, ...], list[str]]:
    said: list[str] = []
    paths = prefetch(
        [tiny[name] for name in names], store=store, hub=hub, clock=clock, progress=said.append
    )
    return paths, said


def test_all_are_brought_in_their_order(
    tiny: dict[str, Variant], fake_hub: FakeHub, fake_clock: FakeClock
) -> None:
    store = Store({})
    paths, _ = run([FP8, AWQ, FP8], store, tiny, fake_hub, fake_clock)
    assert paths == (store.place(tiny[FP8]), store.place(tiny[AWQ]), store.place(tiny[FP8]))
    assert store.fetched == [FP8, AWQ]
    assert fake_clock.slept == []


def test_the_others_are_brought_in_while_one_is_waited_for(
    tiny: dict[str, Variant], fake_hub: FakeHub, fake_clock: FakeClock
) -> None:
    store = Store({FP8: [busy(), busy()]})
    _, said = run([FP8, AWQ], store, tiny, fake_hub, fake_clock)
    assert store.fetched == [FP8, AWQ, FP8, FP8]
    assert fake_clock.slept == [5.0, 5.0]
    assert said.count("waiting: bert on login2 (pid 7) is fetching it") == 1


def test_waiting_has_an_end(
    tiny: dict[str, Variant], fake_hub: FakeHub, fake_clock: FakeClock
) -> None:
    store = Store({FP8: [busy() for _ in range(10_000)]})
    with pytest.raises(CacheBusyError):
        run([FP8], store, tiny, fake_hub, fake_clock)
    assert sum(fake_clock.slept) == 6 * 3600


def test_a_hub_that_is_down_is_asked_again(
    tiny: dict[str, Variant], fake_hub: FakeHub, fake_clock: FakeClock
) -> None:
    store = Store({FP8: [down(), down()]})
    run([FP8], store, tiny, fake_hub, fake_clock)
    assert fake_clock.slept == [1.0, 2.0]


@pytest.mark.parametrize("errors", [[down() for _ in range(9)], [CacheError("full", remedy="x")]])
def test_what_does_not_pass_is_raised(
    tiny: dict[str, Variant],
    fake_hub: FakeHub,
    fake_clock: FakeClock,
    errors: list[Exception],
) -> None:
    kind = type(errors[0])
    with pytest.raises(kind):
        run([FP8], Store({FP8: errors}), tiny, fake_hub, fake_clock)


def test_progress_is_told_now_and_then(
    tiny: dict[str, Variant], fake_hub: FakeHub, fake_clock: FakeClock
) -> None:
    _, said = run([FP8], Store({}), tiny, fake_hub, fake_clock)
    assert said == [
        "acme/tiny-FP8@fp8: 392.8K of 396.8K, now model.safetensors",
        "acme/tiny-FP8@fp8: 396.8K of 396.8K, now tokenizer_config.json",
        "acme/tiny-FP8@fp8 is in /store/acme/tiny-FP8@fp8",
    ]


def test_with_the_real_store(
    tiny: dict[str, Variant], fake_hub: FakeHub, fake_clock: FakeClock, tmp_path: Path
) -> None:
    store = DirectoryStore(tmp_path)
    variants = list(tiny.values())
    paths = prefetch(
        variants, store=store, hub=fake_hub, clock=fake_clock, progress=lambda text: None
    )
    assert list(paths) == [store.find(variant) for variant in variants]
