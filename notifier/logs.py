"""JSON lines on stderr, with request and case ids where they are known."""

import logging
import sys
from typing import TextIO, cast

import structlog


class _Stderr:
    """The process's stderr as it is when a line is written; what runs a command may put another in its place."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


def configure(level: str = "info") -> None:
    """Set structlog up for the whole process. Unknown levels mean info."""
    number = logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(file=cast(TextIO, _Stderr())),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(
        level=logging.WARNING,
        stream=_Stderr(),
        format='{"event": "library", "logger": "%(name)s", "level": "%(levelname)s"}',
    )
    # Hostile requests are answered with 400; a traceback for each would be the attacker's log.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
