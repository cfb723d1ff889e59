"""`cliper serve`: a run over HTTP."""

from pathlib import Path

import click

from cliper.cli.output import say
from cliper.cli.usage import verb


@verb("serve")
@click.argument("run", type=click.Path(path_type=Path))
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
    host: str,
    port: int,
    api_key_file: Path | None,
    max_body: int,
    max_k: int,
    max_concurrent: int,
) -> None:
    """Answer over HTTP: recommendations, similar items, reasons (docs/serving.md).

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
    serve(run, host, port, Limits(max_body, max_k, max_concurrent), api_key_file, tell)
