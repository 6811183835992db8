"""NVML through ``pynvml`` (package nvidia-ml-py): every answer is a fact, or the reason why there is none.

A driver of any age lacks some of the questions, a card some of the answers, and a broken card all of
them: so each question is asked on its own, and what fails costs that one fact.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cfslurm.core.hardware.probe import Count, NotKnown, Text

MIB = 1024**2
_INSTALL = "Install nvidia-ml-py into the Python that jobs use (`pip install nvidia-ml-py`)."
_WRONG_PACKAGE = (
    "Remove what shadows nvidia-ml-py and install it again: "
    "`pip uninstall pynvml; pip install --force-reinstall nvidia-ml-py`."
)
# What only nvidia-ml-py of the last years has: the old package `pynvml` (up to 11.5) has a module of
# the same name and lacks them.
_FEATURES = ("nvmlInitWithFlags", "nvmlMemory_v2", "nvmlDeviceGetAttributes_v2", "NVMLError")

# NVML's return codes, for the few that somebody can do something about. Source: nvml.h, nvmlReturn_t.
NOT_FOUND = 6
FUNCTION_NOT_FOUND = 13
VERSION_MISMATCH = 25
# NVML_VALUE_NOT_AVAILABLE, in the two widths of its numbers.
_NO_VALUE = frozenset({2**32 - 1, 2**64 - 1})
_REMEDIES = {
    4: "The job may not look at this device: ask Slurm for GPUs in the job.",
    9: "Load the NVIDIA kernel module on this node, or drain it: `dmesg` says why it is not loaded.",
    12: "Nothing, on a node without NVIDIA cards; on others install NVIDIA's driver.",
    FUNCTION_NOT_FOUND: "Nothing is wrong: a newer driver answers this question.",
    15: "Drain the node and reset or replace the card; `dmesg | grep Xid` says more.",
    16: "Drain the node and reset the card (`nvidia-smi --gpu-reset`).",
    18: "The driver was updated while its old kernel module was loaded: reboot the node.",
}


def told_count(question: str, answer: object) -> Count:
    """A whole number that NVML has told; its sign for no value is none."""
    number = int(str(answer))
    return number if number not in _NO_VALUE else not_told(question)


class Nvml:
    """An NVML that answers. ``ask`` never raises for what NVML itself refuses."""

    def __init__(self, module: Any) -> None:
        self._module = module

    def ask(self, question: str, *arguments: Any) -> Any:
        """The answer of a pynvml function, or `NotKnown`.

        NVML writes names as bytes that need not be text: what cannot be decoded is not known.
        """
        function = getattr(self._module, question, None)
        if function is None:
            return NotKnown(not_known=f"this nvidia-ml-py has no {question}", remedy=_INSTALL)
        try:
            return function(*arguments)
        except self._module.NVMLError as error:
            return _refused(self._module, question, error)
        except UnicodeDecodeError:
            return NotKnown(not_known=f"{question} gave bytes that are no text")

    def count(self, question: str, *arguments: Any) -> Count:
        """A whole number."""
        answer = self.ask(question, *arguments)
        if isinstance(answer, NotKnown):
            return answer
        return told_count(question, answer)

    def text(self, question: str, *arguments: Any) -> Text:
        """A text; an empty one is none."""
        answer = self.ask(question, *arguments)
        if isinstance(answer, NotKnown):
            return answer
        text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else str(answer)
        printable = "".join(character if character.isprintable() else "?" for character in text)
        return printable or NotKnown(not_known=f"{question} gave an empty text")

    def constant(self, name: str) -> int:
        """A constant of NVML."""
        return int(getattr(self._module, name))


def not_told(question: str) -> NotKnown:
    """The driver answered, and its answer is its sign for "no value"."""
    return NotKnown(not_known=f"{question} gave no value")


def is_code(fact: object, code: int) -> bool:
    """True if a fact is not known for this return code of NVML."""
    return isinstance(fact, NotKnown) and fact.not_known.endswith(f"(NVML {code})")


def _refused(module: Any, question: str, error: Any) -> NotKnown:
    code = int(getattr(error, "value", 999))
    said = str(error) or "no message"
    where = f"{question}: " if code in (FUNCTION_NOT_FOUND, VERSION_MISMATCH) else ""
    return NotKnown(not_known=f"{where}{said} (NVML {code})", remedy=_REMEDIES.get(code, ""))


@contextmanager
def open_nvml() -> Iterator[Nvml | NotKnown]:
    """NVML while it is open; or why there is none: no package, the wrong one, no library, no driver."""
    module = _module()
    if isinstance(module, NotKnown):
        yield module
        return
    nvml = Nvml(module)
    opened = nvml.ask("nvmlInitWithFlags", 0)
    if is_code(opened, FUNCTION_NOT_FOUND):
        opened = NotKnown(
            not_known="the library libnvidia-ml.so.1 is older than nvidia-ml-py can read, or is "
            "another library of that name",
            remedy="Update NVIDIA's driver (418 or newer), or look what `ldconfig -p` and "
            "LD_LIBRARY_PATH give for libnvidia-ml.so.1.",
        )
    if isinstance(opened, NotKnown):
        yield opened
        return
    try:
        yield nvml
    finally:
        nvml.ask("nvmlShutdown")


def _module() -> Any:
    try:
        import pynvml
    except ImportError as error:
        return NotKnown(not_known=f"no module pynvml here: {error}", remedy=_INSTALL)
    except (SyntaxError, AttributeError, TypeError, ValueError, NameError) as error:
        return NotKnown(
            not_known=f"the module pynvml cannot be imported: {error}", remedy=_WRONG_PACKAGE
        )
    missing = [name for name in _FEATURES if not hasattr(pynvml, name)]
    if missing:
        place = getattr(pynvml, "__file__", None) or "an unknown place"
        return NotKnown(
            not_known=f"the module pynvml in {place} is not nvidia-ml-py of version 12 or newer: "
            f"it has no {missing[0]}",
            remedy=_WRONG_PACKAGE,
        )
    return pynvml
