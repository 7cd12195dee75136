"""Run folders: frames, checkpoints, readouts, and the way back from them."""

from marrowsim.storage.frames import Frame, read_frame, write_frame
from marrowsim.storage.run_folder import RunFolder, Stopped
from marrowsim.storage.runs import Frames, Run, open_run

__all__ = ["Frame", "Frames", "Run", "RunFolder", "Stopped", "open_run", "read_frame", "write_frame"]
