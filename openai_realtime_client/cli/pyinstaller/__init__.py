"""Hooks for PyInstaller, which finds them by the entry point `pyinstaller40`."""

from pathlib import Path

__all__ = ["hook_directories"]


def hook_directories() -> list[str]:
    """Return where the hooks are."""
    return [str(Path(__file__).parent)]
