"""Structured logs: one JSON object a line, on standard output.

Only what a call names is logged, and of that what ``redaction`` allows; bodies, headers, query
strings and raw paths never are.
"""

import logging
import sys

import structlog

from payments.kit.redaction import exceptions_by_type, library_line, only_allowed

LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}


def configure(level: str) -> None:
    """Send the service's own events, and what libraries log, through one renderer."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            *shared,
            exceptions_by_type,
            only_allowed,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                library_line,
                exceptions_by_type,
                only_allowed,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    logging.captureWarnings(capture=True)
    root.setLevel(LEVELS[level])
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).handlers = []
        logging.getLogger(name).propagate = True
    # It would log query strings; the request log below knows better.
    logging.getLogger("uvicorn.access").disabled = True
    # It would log the PSP's address for each call.
    logging.getLogger("httpx").setLevel(max(LEVELS[level], logging.WARNING))
    logging.getLogger("httpcore").setLevel(max(LEVELS[level], logging.WARNING))


def logger() -> structlog.typing.FilteringBoundLogger:
    """The service's logger."""
    bound: structlog.typing.FilteringBoundLogger = structlog.get_logger()
    return bound
