"""The command line."""

import sys
import traceback

BUG = 70


def main() -> None:
    """Entry point of the `marrowsim` command."""
    from marrowsim.cli.app import app  # noqa: PLC0415

    try:
        app()
    except Exception:
        traceback.print_exc()
        print(
            "\nThis is a mistake in marrowsim, not in your input. Please report it with the lines above.",
            file=sys.stderr,
        )
        sys.exit(BUG)
