from __future__ import annotations

from cfslurm.core.run.outcomes import (
    AttemptFile,
    Event,
    file_name,
    finished_items,
    item_states,
    line,
    parse_file_name,
    read_lines,
)


def _events(*specs: tuple[Event, dict[str, object]]) -> list[dict[str, object]]:
    text = "".join(line(event, at=float(i), **fields) for i, (event, fields) in enumerate(specs))  # type: ignore[arg-type]
    return [dict(event) for event in read_lines(text)]


def test_torn_last_line_is_left_out() -> None:
    text = line(Event.DONE, at=1.0, item=0) + '{"event":"done","item"'
    assert [event["item"] for event in read_lines(text)] == [0]


def test_file_name_comes_apart_again() -> None:
    assert parse_file_name(file_name("vision.2", 13)) == AttemptFile(name="vision.2", attempt=13)
    assert [parse_file_name(text) for text in ("a.jsonl", "a.x.jsonl", ".3", "a.1.tmp")] == [
        None
    ] * 4


def test_item_that_was_cut_off_waits_and_counts_its_starts() -> None:
    states = item_states(
        _events(
            (Event.ATTEMPT, {"node": "a", "class": "c", "variant": "v"}),
            (Event.START, {"item": 3}),
            (Event.INTERRUPTED, {"item": 3}),
            (Event.ATTEMPT, {"node": "b", "class": "d", "variant": "w"}),
            (Event.START, {"item": 3}),
            (Event.DONE, {"item": 3, "exit": 0, "seconds": 1.5, "result": {"x": 1}}),
        )
    )
    (state,) = states.values()
    assert (state.state, state.starts, state.results, state.node, state.variant) == (
        "done",
        2,
        1,
        "b",
        "w",
    )
    assert (state.exit_code, state.seconds, state.result) == (0, 1.5, {"x": 1})


def test_done_is_final() -> None:
    states = item_states(
        _events(
            (Event.START, {"item": 1}),
            (Event.DONE, {"item": 1}),
            (Event.START, {"item": 1}),
            (Event.FAILED, {"item": 1}),
        )
    )
    assert states[1].state == "done"


def test_done_twice_shows() -> None:
    states = item_states(_events((Event.DONE, {"item": 1}), (Event.DONE, {"item": 1})))
    assert states[1].results == 2


def test_only_done_and_failed_are_finished() -> None:
    events = _events(
        (Event.DONE, {"item": 0}),
        (Event.FAILED, {"item": 1}),
        (Event.RETRY, {"item": 2}),
        (Event.INTERRUPTED, {"item": 3}),
        (Event.START, {"item": 4}),
    )
    assert finished_items(events) == {0, 1}
