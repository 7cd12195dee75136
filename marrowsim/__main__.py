"""`python -m marrowsim`."""

from marrowsim.cli import main

if __name__ == "__main__":
    main()
