"""Tagging a whole file: in order, in several processes, with memory that does not grow with the file."""

import contextlib
import multiprocessing
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import islice
from pathlib import Path
from typing import NamedTuple, TypeAlias

from ner.predictions import Tagger
from registry.taggers import load_tagger
from workbench.bulk_files import Row, chunks, open_sink, read_texts

BATCH = 256
_AHEAD = 3

FoundSpans: TypeAlias = list[list[tuple[int, int, str, float]]]
"""For each text its spans: start, end, label, confidence."""
Tagging: TypeAlias = Callable[[Iterator[list[str]]], Iterator[tuple[list[str], FoundSpans]]]
"""Batches in, each batch with its spans out, in the same order."""


class Tally(NamedTuple):
    """What one try did. `resumed_after`: rows that were there before it."""

    documents: int
    resumed_after: int
    entities: int


def tag_file(
    source: Path,
    target: Path,
    package: Path,
    version: str,
    *,
    format_name: str = "auto",
    column: str = "text",
    workers: int = 1,
    tagging: Tagging | None = None,
    progress: Callable[[int], object] = lambda _: None,
) -> Tally:
    """Tag every text of `source` into `target` by the version in `package`; go on where `target` ends.

    `tagging` tags batches elsewhere than in processes of this machine, in order. `progress` hears how many more are
    done, first those of an earlier try. Raises MalformedFile or InvalidInput.
    """
    texts = read_texts(source, format_name, column)
    sink = open_sink(target)
    progress(sum(1 for _ in islice(texts, sink.done)))
    documents = entities = 0
    with contextlib.closing(sink):
        batches = chunks(texts, BATCH)
        for batch, found in tagging(batches) if tagging is not None else _tagged(package, workers, batches):
            rows = [_row(text, spans, version) for text, spans in zip(batch, found, strict=True)]
            sink.write(rows)
            documents += len(rows)
            entities += sum(len(row["spans"]) for row in rows)
            progress(len(rows))
        sink.finish()
    return Tally(documents, sink.done, entities)


def _row(text: str, spans: list[tuple[int, int, str, float]], version: str) -> Row:
    named = [{"start": start, "end": end, "label": label, "confidence": share} for start, end, label, share in spans]
    return {"text": text, "spans": named, "model_version": version}


def _tagged(package: Path, workers: int, batches: Iterator[list[str]]) -> Iterator[tuple[list[str], FoundSpans]]:
    if workers <= 1:
        tagger = load_tagger(package)
        for batch in batches:
            yield batch, found_spans(tagger, batch)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, _load, (package,)) as pool:
        running: deque[tuple[list[str], Future[FoundSpans]]] = deque()
        for batch in batches:
            running.append((batch, pool.submit(_tag, batch)))
            if len(running) >= workers * _AHEAD:
                first, future = running.popleft()
                yield first, future.result()
        for first, future in running:
            yield first, future.result()


class _Worker:
    """The tagger of a worker process."""

    tagger: Tagger


def _load(package: Path) -> None:
    _Worker.tagger = load_tagger(package)


def _tag(batch: list[str]) -> FoundSpans:
    return found_spans(_Worker.tagger, batch)


def found_spans(tagger: Tagger, batch: Sequence[str]) -> FoundSpans:
    """What a tagger finds in a batch."""
    return [
        [(span.start, span.end, span.label, span.confidence) for span in tagged.spans] for tagged in tagger.tag(batch)
    ]
