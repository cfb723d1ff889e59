import pytest
import torch

from cliper.devices import available_device
from cliper.errors import InputError


def test_what_is_not_here_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("tpu", "cuda:x", "cpux", ""):
        with pytest.raises(InputError, match="unknown device"):
            available_device(name)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert available_device("auto") == "cuda" and available_device("cuda:1") == "cuda:1"
    with pytest.raises(InputError, match=r"encoder.device: 'cuda:2' is not available here"):
        available_device("cuda:2", where="encoder.device")


def test_float32_is_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    available_device("cpu")
    assert not torch.backends.cudnn.allow_tf32
