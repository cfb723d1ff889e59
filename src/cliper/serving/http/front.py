"""The page at `/`: three files of this package, which ask nothing of anywhere else."""

from importlib.resources import files

from fastapi import FastAPI, Response

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' blob: data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page/style.css": ("style.css", "text/css; charset=utf-8"),
    "/page/page.js": ("page.js", "text/javascript; charset=utf-8"),
}


def add_page(app: FastAPI) -> None:
    """Add it to an application."""

    def serve(path: str, data: bytes, kind: str) -> None:
        @app.get(path, include_in_schema=False)
        async def one() -> Response:
            return Response(data, media_type=kind, headers=HEADERS)

    folder = files("cliper.serving.http") / "page"
    for path, (name, kind) in FILES.items():
        serve(path, (folder / name).read_bytes(), kind)
