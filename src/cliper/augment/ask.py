"""Many questions to one language model: in batches, each asked once, nothing lost by a kill."""

from collections.abc import Sequence
from dataclasses import dataclass

from cliper.augment.generator import TextGenerator
from cliper.augment.journal import Journal, question_key
from cliper.progress import task


@dataclass
class Asked:
    """How often the model was asked.

    Attributes:
        asked: prompts that it answered in this run.
        reused: prompts whose answer was in the journal.
    """

    asked: int = 0
    reused: int = 0


def ask(
    generator: TextGenerator,
    prompts: Sequence[str],
    journal: Journal,
    *,
    most: int,
    batch_size: int,
    what: str,
    counts: Asked,
) -> list[str]:
    """The answers (n,) to prompts (n,).

    Distinct prompts are cut into batches by length at fixed places of the whole list. Who is in a
    batch decides about padding, and so about the last bits: a batch of which an answer is missing
    is asked as a whole, so that a run that was killed ends as one that was not.

    Args:
        generator: answers.
        prompts: the questions.
        journal: what is known, and gets what becomes known.
        most: tokens that an answer may have.
        batch_size: questions at once.
        what: of the progress bar.
        counts: added to.
    """
    distinct = sorted(set(prompts), key=lambda prompt: (len(prompt), prompt))
    batches = [distinct[at : at + batch_size] for at in range(0, len(distinct), batch_size)]
    with task(f"ask for {what}", total=len(distinct)) as bar:
        for batch in batches:
            keys = [question_key(prompt, most) for prompt in batch]
            known = sum(key in journal.answers for key in keys)
            if known < len(batch):
                answers = generator.generate(batch, most)
                journal.append(dict(zip(keys, answers, strict=True)))
            counts.reused += known
            counts.asked += len(batch) - known
            bar.advance(len(batch))
    return [journal.answers[question_key(prompt, most)] for prompt in prompts]
