from cliper.testing.conformance import BackboneConformance
import cliper.backbones.mmssl  # noqa

class TestMmssl(BackboneConformance):
    backbone = "mmssl"
