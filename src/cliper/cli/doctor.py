"""`cliper doctor`: what is here, and what is missing for what."""

import os
import platform
import shutil
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

from cliper.cli.output import json_option, print_json, print_table, say
from cliper.cli.usage import verb

PACKAGES = (
    "cliper",
    "torch",
    "transformers",
    "tokenizers",
    "safetensors",
    "numpy",
    "scipy",
    "pyarrow",
    "pydantic",
    "pillow",
    "rich",
    "click",
)
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@verb("doctor")
@json_option
def command(as_json: bool) -> None:
    """Versions, devices, threads, caches, and what is missing for what. Asks no network.

    \b
    Example:
      cliper doctor --json
    """
    found = examine()
    if as_json:
        print_json(found)
        return
    rows = [["python", found["python"]], ["platform", found["platform"]]]
    rows += [[name, v or "missing"] for name, v in found["packages"].items()]
    rows += [["device", name] for name in found["devices"]]
    rows += [[f"threads, {name}", str(n)] for name, n in found["threads"].items()]
    rows += [["MKL", "yes" if found["mkl"] else "no"], ["hub cache", found["hub_cache"]]]
    print_table(["what", "found"], rows)
    say("")
    checks = [
        [c["name"], "yes" if c["available"] else "no", c["for"], c["remedy"] or ""]
        for c in found["checks"]
    ]
    print_table(["part", "here", "needed for", "to get it"], checks)


def examine() -> dict[str, Any]:
    """Everything that `doctor` tells, as JSON values."""
    import torch
    from huggingface_hub.constants import HF_HUB_CACHE

    devices = ["cpu"]
    devices += [
        f"cuda:{i} {torch.cuda.get_device_name(i)}" for i in range(torch.cuda.device_count())
    ]
    devices += ["mps"] if torch.backends.mps.is_available() else []
    affinity = getattr(os, "sched_getaffinity", None)
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: _version(name) for name in PACKAGES},
        "devices": devices,
        "threads": {
            "torch": torch.get_num_threads(),
            "cores": len(affinity(0)) if affinity else os.cpu_count(),
        },
        "mkl": _mkl(),
        "hub_cache": str(HF_HUB_CACHE),
        "checks": _checks(devices),
    }


def _checks(devices: list[str]) -> list[dict[str, Any]]:
    from cliper.encoders.registry import ENCODERS
    from cliper.extras import EXTRAS, USES

    checks = []
    for name, encoder in ENCODERS.all().items():
        remedy = encoder.install or (
            f"fetch its weights into the hub cache, or pass a path: --encoder PATH ({name})"
        )
        checks.append(_check(f"encoder {name}", encoder.available(), encoder.summary, remedy))
    for module, extra in EXTRAS.items():
        here, remedy = find_spec(module) is not None, f"pip install 'cliper[{extra}]'"
        checks.append(_check(module, here, USES[extra], remedy))
    checks.append(
        _check("MKL", _mkl(), "fast sparse products on CPU", "use a torch build with MKL (x86-64)")
    )
    checks.append(
        _check("accelerator", len(devices) > 1, "large encoders; not needed otherwise",
               "a CUDA or Apple device and the torch build for it")
    )  # fmt: skip
    browser = next((b for b in BROWSERS if shutil.which(b)), None)
    checks.append(
        _check("browser", browser is not None, "the tests that look at the report's page",
               "install chromium")
    )  # fmt: skip
    return checks


def _mkl() -> bool:
    import torch

    return bool(torch.backends.mkl.is_available())  # type: ignore[no-untyped-call]


def _check(name: str, available: bool, use: str, remedy: str) -> dict[str, Any]:
    return {
        "name": name,
        "available": bool(available),
        "for": use,
        "remedy": None if available else remedy,
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
