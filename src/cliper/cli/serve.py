"""`cliper serve`: a run over HTTP."""

import math
from pathlib import Path

import click

from cliper.cli.output import say
from cliper.cli.usage import verb


def _finite(_: click.Context, __: click.Parameter, value: float) -> float:
    if not math.isfinite(value):
        raise click.BadParameter(f"{value} is no number of requests.")
    return value


@verb("serve")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("other", type=click.Path(path_type=Path), required=False)
@click.option(
    "--store",
    metavar="FILE_OR_URL",
    help="Where events and items are kept: a file for SQLite (default: RUN.store.sqlite), or "
    "postgresql+psycopg://USER:PASSWORD@HOST/DATABASE.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="0 takes a free one.",
)
@click.option(
    "--api-key-file",
    type=click.Path(path_type=Path),
    help="Keys, one a line; requests must bring one (Authorization: Bearer KEY).",
)
@click.option(
    "--max-body",
    type=click.IntRange(min=1),
    default=1 << 20,
    show_default=True,
    metavar="BYTES",
    help="Largest body of a request.",
)
@click.option(
    "--max-picture",
    type=click.IntRange(min=1),
    default=8 << 20,
    show_default=True,
    metavar="BYTES",
    help="Largest picture.",
)
@click.option(
    "--max-rate",
    type=click.FloatRange(min=0),
    callback=_finite,
    default=0,
    show_default=True,
    metavar="N",
    help="Requests a second of one address; more get 429. 0: no limit.",
)
@click.option(
    "--max-k", type=click.IntRange(min=1), default=1000, show_default=True, help="Most items asked."
)
@click.option(
    "--max-concurrent",
    type=click.IntRange(min=1),
    default=32,
    show_default=True,
    help="Requests at a time; more get 503.",
)
def command(
    run: Path,
    other: Path | None,
    store: str | None,
    max_picture: int,
    max_rate: float,
    host: str,
    port: int,
    api_key_file: Path | None,
    max_body: int,
    max_k: int,
    max_concurrent: int,
) -> None:
    """Answer over HTTP, with a page to look at (docs/serving.md); OTHER, a second run, beside it.

    \b
    Example:
      cliper serve runs/films --port 8000
      curl 'http://127.0.0.1:8000/v1/users/17/recommendations?k=5'
    """
    from cliper.serving.http.limits import Limits
    from cliper.serving.http.server import serve

    def tell(line: str) -> None:
        say(line, err=True)

    if api_key_file is None and host not in ("127.0.0.1", "localhost", "::1"):
        tell("cliper: anyone who reaches this address may ask (--api-key-file asks for a key)")
    limits = Limits(max_body, max_k, max_concurrent, max_picture, max_rate)
    serve(run, other, host, port, limits, store, api_key_file, tell)
