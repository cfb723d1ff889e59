"""Studies: the paper's ablations, its summary's follow-up experiments, for any dataset."""

from cliper.experiments.studies.plan import Setting
from cliper.experiments.studies.run import STUDIES, StudyResult, find_study, run_study

__all__ = ["STUDIES", "Setting", "StudyResult", "find_study", "run_study"]
