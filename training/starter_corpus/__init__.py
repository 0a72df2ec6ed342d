"""A labelled corpus written for this project: hand-written frames, lists of real names, one seeded generator.

What it is for: a first model on a machine that has no data yet. Labels are those of the Groningen Meaning Bank:
per, geo, org, gpe, tim, art, eve, nat. No sentence and no list comes from any corpus.
"""

from training.starter_corpus.generation import LABELS, generate

__all__ = ["LABELS", "generate"]
