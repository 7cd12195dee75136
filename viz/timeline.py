"""The frames of a run for viewers: read once, kept while they fit, new ones found as they appear."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

import pandas as pd

from marrowsim.errors import Fault, RunFolderError
from marrowsim.storage import Frame, Run

# Memory (bytes) for frames that were read and may be asked for again.
KEPT = 1 << 30


def weight(frame: Frame) -> int:
    """Bytes that a frame holds: its voxels and its tables."""
    arrays = [frame.tissue, *frame.fields.values(), *([] if frame.bone_change is None else [frame.bone_change])]
    tables = (table.memory_usage(index=False).sum() for table in (frame.cells, frame.slots))
    return int(sum(array.nbytes for array in arrays) + sum(tables))


class Timeline:
    """The frames of a run that may still go on.

    Parameters
    ----------
    run : the run folder.
    kept : bytes of frames that are kept after reading, beside the last one.

    Attributes
    ----------
    steps : list of int
        Step numbers of the frames known so far, ascending.

    Raises
    ------
    RunFolderError : where the run has no frames yet.
    """

    def __init__(self, run: Run, kept: int = KEPT):
        self.run = run
        self._limit = kept
        self._frames: OrderedDict[int, Frame] = OrderedDict()
        self._lock = Lock()
        self.steps: list[int] = []
        if not self.refresh():
            remedy = f"wait for the first one, or let the run go on: marrowsim resume {run.path}"
            raise RunFolderError(Fault("the run has no frames yet", given=str(run.path), remedy=remedy))

    def refresh(self) -> bool:
        """Look for new frames; says whether there are any."""
        steps = self.run.frames.steps
        changed = steps != self.steps
        self.steps = steps
        return changed

    def __len__(self) -> int:
        return len(self.steps)

    def frame(self, index: int) -> Frame:
        """The frame at a place of `steps`, from memory where it was read before; safe to call from any thread.

        Raises
        ------
        RunFolderError : where its file is damaged or gone.
        """
        step = self.steps[index]
        with self._lock:
            if step in self._frames:
                self._frames.move_to_end(step)
                return self._frames[step]
            frame = self.run.frames.at(step)
            self._frames[step] = frame
            while len(self._frames) > 1 and sum(map(weight, self._frames.values())) > self._limit:
                self._frames.popitem(last=False)
            return frame

    def readouts(self) -> pd.DataFrame:
        """The readouts so far."""
        return self.run.readouts
