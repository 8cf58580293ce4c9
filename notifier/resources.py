"""Where our data folders are: beside the package in a checkout, inside the wheel when installed."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def folder(name: str) -> Path:
    """The folder `config`, `migrations` or `templates`. Raises FileNotFoundError when neither place has it."""
    for candidate in (_PACKAGE / "_data" / name, _PACKAGE.parent / name):
        if candidate.is_dir():
            return candidate
    raise FileNotFoundError(f"{name}: not found beside or inside the installed package; reinstall it")
