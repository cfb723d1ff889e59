from cliper.testing.conformance import BackboneConformance
import cliper.backbones.dualgnn
class TestDualGnn(BackboneConformance):
    backbone = "dualgnn"
