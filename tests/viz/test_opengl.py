"""The probe for OpenGL: it must outlive a VTK that takes its process down."""

import subprocess
import sys

import pytest

from marrowsim.viz import opengl


@pytest.fixture
def unprobed(monkeypatch):
    for name in (opengl.SWITCH, opengl.FOUND, opengl.WINDOW):
        monkeypatch.delenv(name, raising=False)


def test_a_segmentation_fault_in_the_probe_is_a_no():
    assert opengl.probe("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)") is False


def test_a_probe_that_hangs_is_a_no():
    assert opengl.probe("import time; time.sleep(60)", timeout=0.3) is False


@pytest.mark.parametrize("answer", ["", "picture 0", "something else"])
def test_only_a_picture_that_is_not_black_is_a_yes(answer):
    assert opengl.probe(f"print({answer!r})") is False
    assert opengl.probe("print('picture 200')") is True


def test_the_answer_is_kept_and_handed_to_children(unprobed, monkeypatch):
    calls = []
    monkeypatch.setattr(opengl, "probe", lambda: calls.append(1) or True)
    assert opengl.rendering_available() and opengl.rendering_available()
    assert len(calls) == 1
    child = "from marrowsim.viz import opengl as o; o.probe = None; print(o.rendering_available())"
    done = subprocess.run([sys.executable, "-P", "-c", child], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True"]


def test_the_switch_says_no_without_a_probe(unprobed, monkeypatch):
    monkeypatch.setattr(opengl, "probe", lambda: pytest.fail("probed"))
    monkeypatch.setenv(opengl.SWITCH, "1")
    assert opengl.rendering_available() is False


def test_the_window_of_a_machine_without_a_screen_is_egl(unprobed, monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    opengl.choose_window()
    assert opengl.os.environ[opengl.WINDOW] == "vtkEGLRenderWindow"
    monkeypatch.setenv(opengl.WINDOW, "vtkOSOpenGLRenderWindow")
    opengl.choose_window()
    assert opengl.os.environ[opengl.WINDOW] == "vtkOSOpenGLRenderWindow"
