import pytest

from cliper.encoders import create_encoder
from cliper.encoders.runtime import choice
from cliper.encoders.runtime.choice import check_runtime, precision_key
from cliper.errors import InputError


@pytest.mark.parametrize(
    ("runtime", "dtype", "device", "said"),
    [
        ("torch", "int8", "cpu", "'torch' does not compute in int8"),
        ("onnx", "bfloat16", "cpu", "'onnx' does not compute in bfloat16"),
        ("onnx", "float32", "cuda", "'onnx' is for the CPU"),
    ],
)
def test_what_does_not_go_together_is_refused(runtime, dtype, device, said) -> None:
    with pytest.raises(InputError, match=said):
        check_runtime(runtime, dtype, device)


def test_what_is_missing_is_named(monkeypatch) -> None:
    monkeypatch.setattr(choice, "find_spec", lambda name: None if name == "onnxscript" else 1)
    with pytest.raises(InputError, match=r"needs onnxscript .*pip install 'cliper\[onnx\]'"):
        check_runtime("onnx", "int8", "cpu")


def test_torch_in_float32_keeps_the_key_that_it_had() -> None:
    keys = [precision_key("torch", "float32"), precision_key("torch", "bfloat16")]
    assert keys == ["float32", "bfloat16"]
    other = [precision_key("onnx", dtype) for dtype in ("float32", "int8")]
    assert len({*keys, *other}) == 4
    assert "7 bits" in other[1]  # encodings of saturated products have another key


def test_create_encoder_refuses_before_it_loads_anything() -> None:
    with pytest.raises(InputError, match="does not compute in int8"):
        create_encoder("/no/such/folder", dtype="int8")
    with pytest.raises(InputError, match=r"batch_size.*greater than or equal to 1, got 0"):
        create_encoder("/no/such/folder", batch_size=0)
