"""What versions made of the texts they answered: counted by version, so that one of them cannot hide in the crowd."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric

from registry.prediction_log import LoggedPrediction

_TENTHS = 10
_EDGES = tuple(f"{(tenth + 1) / _TENTHS:g}" for tenth in range(_TENTHS))


class _Counts:
    __slots__ = ("answers", "tenths", "tokens", "unknown")

    def __init__(self) -> None:
        self.answers = self.tokens = self.unknown = 0
        self.tenths = [0] * _TENTHS


class TextCounts:
    """A collector for a Prometheus registry. Counts and is read in one thread, the event loop's."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], _Counts] = {}

    def add(self, row: LoggedPrediction) -> None:
        """Count one text that was answered."""
        counts = self._counts.get((row.version, row.variant))
        if counts is None:
            counts = self._counts[row.version, row.variant] = _Counts()
        counts.answers += 1
        counts.tokens += row.tokens
        counts.unknown += row.unknown_tokens
        for tenth, count in enumerate(row.confidences):
            counts.tenths[tenth] += count

    def collect(self) -> Iterator[Metric]:
        """The counts of this moment."""
        labels = ("version", "variant")
        answers = CounterMetricFamily("ner_answers", "Texts answered.", labels=labels)
        tokens = CounterMetricFamily("ner_tokens", "Tokens read.", labels=labels)
        unknown = CounterMetricFamily("ner_unknown_tokens", "Tokens that the version does not know.", labels=labels)
        confidence = HistogramMetricFamily("ner_entity_confidence", "Confidences of entities.", labels=labels)
        for names, counts in self._counts.items():
            answers.add_metric(names, counts.answers)
            tokens.add_metric(names, counts.tokens)
            unknown.add_metric(names, counts.unknown)
            confidence.add_metric(names, _cumulated(counts.tenths), None)
        yield from (answers, tokens, unknown, confidence)


def _cumulated(tenths: list[int]) -> list[tuple[str, float]]:
    buckets, total = [], 0
    for edge, count in zip(_EDGES, tenths, strict=True):
        total += count
        buckets.append((edge, float(total)))
    return [*buckets, ("+Inf", float(total))]
