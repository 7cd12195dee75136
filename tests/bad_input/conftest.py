"""How bad input is told: one clear message, exit code 2, nothing written, nothing lost."""

import pytest
from typer.testing import CliRunner

from marrowsim.cli.app import app


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """An empty present folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def tree():
    """A function that gives every file below a folder with its bytes, and every folder; locks are not content."""

    def read(folder):
        return {
            str(item.relative_to(folder)): item.read_bytes() if item.is_file() else None
            for item in sorted(folder.rglob("*"))
            if item.name != ".lock"
        }

    return read


@pytest.fixture(scope="session")
def refuse():
    """A function that runs a command that must be refused with a message that holds the words."""

    def run(arguments, *words):
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        assert result.exit_code == 2, (result.output, result.exception)
        said = result.stderr
        assert "Traceback" not in said
        for word in words:
            assert word in said
        return said

    return run
