from cliper.testing.conformance import BackboneConformance
import cliper.backbones.mmgcn
class TestMmgcn(BackboneConformance):
    backbone = "mmgcn"
