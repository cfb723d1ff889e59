"""The public suite over every family, on small random models; `embedded` on its real ones."""

from pathlib import Path

import pytest
import torch

from cliper.encoders import DualEncoder, create_encoder
from cliper.encoders.embedded import EmbeddedEncoder
from cliper.testing.encoders import TEXTS, EncoderConformance, draw_pictures

from .reference import Reference
from .small_models import randomised


class OnDisk(EncoderConformance):
    """A saved model, made anew from its folder each time."""

    folder: Path

    def create(self) -> DualEncoder:
        return create_encoder(str(self.folder), batch_size=2)


class TestClip(OnDisk):
    @pytest.fixture(autouse=True)
    def _model(self, clip_folder):
        self.folder = clip_folder


class TestChunkMean(OnDisk):
    @pytest.fixture(autouse=True)
    def _model(self, clip_folder):
        self.folder = clip_folder

    def create(self) -> DualEncoder:
        return create_encoder(str(self.folder), batch_size=2, long_text="chunk-mean")


@pytest.fixture(scope="module")
def long_clip_file(hf_tokenizer, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("long")
    model = randomised(lambda: Reference(long=True), seed=8)
    torch.save(model.state_dict(), folder / "long.pt")
    hf_tokenizer.save_pretrained(folder)
    return folder / "long.pt"


class TestLongClip(OnDisk):
    @pytest.fixture(autouse=True)
    def _model(self, long_clip_file):
        self.folder = long_clip_file


class TestClipResnet(OnDisk):
    @pytest.fixture(autouse=True)
    def _model(self, resnet_folder):
        self.folder = resnet_folder


class TestSiglip(OnDisk):
    @pytest.fixture(autouse=True)
    def _model(self, make_small):
        self.folder = make_small("siglip").folder


class TestSiglip2(OnDisk):
    @pytest.fixture(autouse=True)
    def _model(self, make_small):
        self.folder = make_small("siglip2").folder


class TestAlign(OnDisk):
    @pytest.fixture(autouse=True)
    def _model(self, make_small):
        self.folder = make_small("align").folder


class TestBlip(OnDisk):
    @pytest.fixture(autouse=True)
    def _model(self, make_small):
        self.folder = make_small("blip").folder


class TestChineseClip(OnDisk):
    @pytest.fixture(autouse=True)
    def _model(self, make_small):
        self.folder = make_small("chinese_clip").folder


class TestEmbedded(EncoderConformance):
    @pytest.fixture(autouse=True)
    def _pictures(self, tmp_path):
        (tmp_path / "fit").mkdir()
        self.fitted_on = draw_pictures(tmp_path / "fit")

    def create(self) -> DualEncoder:
        texts = list(TEXTS[: len(self.fitted_on)])
        return EmbeddedEncoder.fit([texts], self.fitted_on)
