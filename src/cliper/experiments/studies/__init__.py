"""Studies: the paper's ablations, its summary's follow-up experiments, for any dataset."""

from cliper.experiments.studies.run import run_study
from cliper.experiments.studies.setting import Setting
from cliper.experiments.studies.specifications import STUDIES, find_study
from cliper.experiments.studies.study import Study
from cliper.experiments.studies.write import StudyResult

__all__ = ["STUDIES", "Setting", "Study", "StudyResult", "find_study", "run_study"]
