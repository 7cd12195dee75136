"""Films: the frames of a run, or of two side by side, with the readouts running along (MP4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from marrowsim.errors import Fault, RenderError
from marrowsim.viz import curves, panels
from marrowsim.viz.cameras import CAMERAS
from marrowsim.viz.description import Scene
from marrowsim.viz.figure import new_figure, time_stamp
from marrowsim.viz.files import FILM, replacing, size_faults, target_faults
from marrowsim.viz.sheet import Row, all_entries, common_scale, fixed, require_opengl

SIZE = (1280, 800)
FPS = 8.0
LEAST_FPS, MOST_FPS = 1, 60

# Dashes of the second run's curves.
DASHES = (0, (3, 1.5))

# Shares of the picture's height: the head, and the curves at the foot; of its width: the legend.
HEAD, FOOT, LEGEND = 0.09, 0.27, 0.25


def film(
    rows: Sequence[Row],
    scene: Scene,
    path,
    *,
    title: str = "",
    size: tuple[int, int] = SIZE,
    fps: float = FPS,
    turn: float = 0.0,
    force: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Write a film, and return the number of its pictures.

    One picture a frame of the run, with one colour scale throughout; the time is marked in the curves.

    Parameters
    ----------
    rows : one run, or two with as many frames each, of the same times.
    path : .mp4.
    size : width and height in pixels.
    fps : frames a second.
    turn : degrees that the camera goes round from the first picture to the last.
    progress : called with the pictures done and those to do.

    Raises
    ------
    RenderError : before anything is drawn: a wrong name, size or speed, no OpenGL, imageio-ffmpeg missing, or runs
        that do not go together.
    """
    path = Path(path)
    faults = [*target_faults(path, (FILM,), force=force), *size_faults(size, 100.0)]
    if not LEAST_FPS <= fps <= MOST_FPS:
        faults.append(Fault("the speed is out of bounds", f"{LEAST_FPS} to {MOST_FPS} frames a second", f"{fps:g}"))
    if not np.isfinite(turn):
        faults.append(Fault("the turn is no number of degrees", "such as 90 or -360", f"{turn:g}"))
    if len({len(row.frames) for row in rows}) > 1:
        given = ", ".join(str(len(row.frames)) for row in rows)
        faults.append(
            Fault("the runs do not have the same number of frames", given=given, remedy="choose with --frame")
        )
    if find_spec("imageio_ffmpeg") is None:
        faults.append(Fault("films need imageio-ffmpeg", remedy="pip install 'marrowsim[film]'"))
    if faults:
        raise RenderError(*faults)
    require_opengl()
    import imageio_ffmpeg  # noqa: PLC0415

    pictures = Pictures(rows, scene, title, size, turn)
    todo = len(rows[0].frames)
    with replacing(path) as partial:
        writer = imageio_ffmpeg.write_frames(
            str(partial), size, fps=fps, codec="libx264", macro_block_size=2, quality=8, ffmpeg_log_level="error"
        )
        writer.send(None)
        try:
            for number in range(todo):
                writer.send(pictures.draw(number))
                if progress is not None:
                    progress(number + 1, todo)
        finally:
            writer.close()
            pictures.close()
    return todo


class Pictures:
    """The pictures of a film: a figure whose views, time and marks change, and whose curves and legend stay."""

    def __init__(self, rows: Sequence[Row], scene: Scene, title: str, size: tuple[int, int], turn: float):
        from marrowsim.viz.scene import Camera  # noqa: PLC0415

        self.rows, self.turn, self.size = rows, turn, tuple(edge // 2 * 2 for edge in size)
        same = fixed(scene, rows)
        scene, boxes = same.scene, same.boxes
        self.start = CAMERAS[scene.camera] if isinstance(scene.camera, str) else scene.camera
        self.figure = new_figure(self.size, 100.0)
        width, height = self.size
        share = (1 - LEGEND) / len(rows)
        tile = (round(0.97 * share * width), round((1 - HEAD - FOOT) * height))
        scale = self._scale(scene, boxes, tile)
        self.figure.text(0.0125, 0.968, title, fontsize=17, fontweight="bold", va="center")
        self.figure.text(0.0125, 0.938, same.part, fontsize=8.5, va="center", color="#666666")
        self.clock = self.figure.text(0.9875, 0.968, "", fontsize=17, fontweight="bold", va="center", ha="right")
        self.cameras = [Camera(scene, box, tile, foot=0.08, scale=scale) for box in boxes]
        self.images, self.arrows, legends = [], [], []
        for index, (row, camera) in enumerate(zip(rows, self.cameras, strict=True)):
            axes = self.figure.add_axes((index * share + 0.0125, FOOT, tile[0] / width, tile[1] / height))
            view = camera.view(row.frames[-1](), row.tracks)
            panels.draw_view(axes, view, "view")
            if len(rows) > 1:
                axes.set_title(row.title, fontsize=11, loc="left", fontweight="bold", pad=2)
            self.images.append(axes.images[0])
            self.arrows.append(panels.draw_orientation(axes, view.right, view.up))
            legends.append(view.legend)
        side = self.figure.add_axes((1 - LEGEND + 0.01, FOOT + 0.1, LEGEND - 0.02, 1 - HEAD - FOOT - 0.1))
        panels.draw_legend(side, all_entries([*same.legends, *legends]), False)
        foot = self.figure.add_axes((1 - LEGEND + 0.01, FOOT, LEGEND - 0.02, 0.1))
        foot.set_axis_off()
        if view.bar is not None:
            panels.draw_colour_bar(self.figure, foot, view.bar, (0.05, 0.3, 0.88, 0.13))
        self.marks = self._curves()

    def _scale(self, scene: Scene, boxes, tile) -> float:
        """The scale at which the lattice fits throughout the turn."""
        from dataclasses import replace  # noqa: PLC0415

        angles = np.linspace(0, self.turn, 13) if self.turn else [0.0]
        return max(
            common_scale(replace(scene, camera=(self.start[0] + angle, self.start[1])), self.rows, boxes, tile, 0.08)
            for angle in angles
        )

    def _curves(self) -> list:
        """Curves at the foot, dashed of a second run. Returns the marks of the time, and the axis' units an hour."""
        first, marks = self.rows[0].readouts, []
        plots = curves.choose_panels(first)
        for index, panel in enumerate(plots):
            axes = self.figure.add_axes((0.055 + 0.245 * index, 0.075, 0.15, FOOT - 0.13))
            axes.set_label("readouts")
            curves.draw(axes, first, panel)
            for row in self.rows[1:]:
                if row.readouts is not None and len(row.readouts) > 1:
                    curves.draw_beside(axes, row.readouts, panel, DASHES)
            per_hour = 1 / 24 if axes.get_xlabel().endswith("(d)") else 1.0
            marks.append((axes.axvline(0, color=panels.INK, lw=1.2, clip_on=False), per_hour))
        if plots and len(self.rows) > 1:
            words = f"lines: {self.rows[0].title}; dashes: {self.rows[1].title}"
            self.figure.text(0.9875, 0.012, words, fontsize=8, color="#666666", ha="right", va="center")
        return marks

    def draw(self, number: int) -> np.ndarray:
        """A picture of the film: uint8 (height, width, 3)."""
        count = len(self.rows[0].frames)
        for place, (row, camera, image) in enumerate(zip(self.rows, self.cameras, self.images, strict=True)):
            frame = row.frames[number]()
            if self.turn:
                angle = self.start[0] + self.turn * number / max(count - 1, 1)
                camera.stage.change(camera=(angle, self.start[1]))
            view = camera.view(frame, row.tracks)
            image.set_data(view.image)
            if self.turn:
                for arrow in self.arrows[place]:
                    arrow.remove()
                self.arrows[place] = panels.draw_orientation(image.axes, view.right, view.up)
        self.clock.set_text(time_stamp(frame.time))
        for mark, per_hour in self.marks:
            mark.set_xdata([frame.time / 60 * per_hour] * 2)
        self.figure.canvas.draw()
        picture = np.asarray(self.figure.canvas.buffer_rgba())[..., :3]
        return np.ascontiguousarray(picture[: self.size[1], : self.size[0]])

    def close(self) -> None:
        """Let go of the plotters."""
        for camera in self.cameras:
            camera.close()
