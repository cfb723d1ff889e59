"""Libraries that only some commands need: which extra of the package installs each."""

from cliper.errors import InputError

EXTRAS = {
    "faiss": "graphs",
    "fastapi": "serve",
    "imagehash": "report",
    "implicit": "baselines",
    "matplotlib": "report",
    "optuna": "search",
    "prometheus_client": "serve",
    "psycopg": "postgresql",
    "ray": "ray",
    "sqlalchemy": "serve",
    "uvicorn": "serve",
}
"""Module → extra (`pip install 'cliper[report]'`)."""

USES = {
    "baselines": "the backbone ials",
    "graphs": "graphs.neighbours, item graphs of more than 100,000 items",
    "postgresql": "serve with a store in PostgreSQL",
    "ray": "--engine ray",
    "report": "report, study, describe, demo",
    "search": "search, compare --trials",
    "serve": "serve",
}
"""Extra → what needs it."""


def missing_extra(error: ModuleNotFoundError) -> InputError | None:
    """What to install where such a library is missing; None for any other module.

    >>> print(missing_extra(ModuleNotFoundError(name="optuna.trial")))
    optuna is not installed (pip install 'cliper[search]')
    """
    module = (error.name or "").partition(".")[0]
    if module not in EXTRAS:
        return None
    return InputError(
        f"{module} is not installed", remedy=f"pip install 'cliper[{EXTRAS[module]}]'"
    )
