"""Label Studio's JSON: a list of tasks with annotations, or its short form (JSON_MIN)."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

from annotation.formats.json_values import objects_of_list
from annotation.formats.offsets import SpanChecker
from annotation.formats.reports import Report
from annotation.formats.shapes import Format, Progress, ReadDocument, WrittenDocument, check_text
from annotation.formats.sources import Sample, Source
from annotation.formats.writing import text_into
from ner.documents import EntitySpan
from ner.errors import MalformedFile

_SIGNS = ('"annotations"', '"completions"', '"data"', '"annotation_id"', '"labels"')
_SHORT_KEYS = {"id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time"}
_NOTES = {
    "predictions": "Predictions of models, which are not read: {:,}.",
    "annotations": "Annotations beyond the first of their task, which are not read: {:,}.",
    "results": "Results that are no labelled spans (relations, choices), which are not read: {:,}.",
}


def recognises(sample: Sample) -> bool:
    """Whether the file is a list of objects with one of Label Studio's keys near its beginning."""
    text = "\n".join(sample.lines).lstrip()
    return text.startswith("[") and text[1:].lstrip().startswith("{") and any(sign in text for sign in _SIGNS)


def read(source: Source, progress: Progress | None) -> Iterator[ReadDocument]:
    """One document per task. Of several annotations the ground truth is read, else the first that was not skipped; a
    task without one is unlabelled. A span with several labels becomes several spans.
    """
    spans_of_text = SpanChecker()
    unread: Counter[str] = Counter()
    for line, task in objects_of_list(source, progress):
        data = task["data"] if isinstance(task.get("data"), dict) else task
        text = _text(data, line)
        results = _results(task, unread, line)
        spans = dict.fromkeys(
            span for result in results or () for span in _spans(spans_of_text, text, result, unread, line)
        )
        yield ReadDocument(text, tuple(spans), _meta(task, data, text), results is not None, line)
    source.notes.extend(spans_of_text.notes())
    source.notes.extend(_NOTES[kind].format(count) for kind, count in sorted(unread.items()))


def write(documents: Iterable[WrittenDocument], stream: BinaryIO, report: Report) -> None:
    """Write UTF-8, one task a line of the list; a document without settled spans has no annotation. Nothing is lost."""
    with text_into(stream) as lines:
        lines.write("[")
        for number, document in enumerate(documents, start=1):
            data: dict[str, Any] = {"text": document.text}
            if document.meta:
                data["meta"] = document.meta
            annotations = []
            if document.spans is not None:
                results = [_result(document.text, span, number, place) for place, span in enumerate(document.spans)]
                annotations.append({"id": number, "result": results, "was_cancelled": False, "ground_truth": True})
            task = {"id": number, "data": data, "annotations": annotations, "predictions": []}
            report.wrote(document.spans or ())
            lines.write(("," if number > 1 else "") + "\n" + json.dumps(task, ensure_ascii=False))
        lines.write("\n]\n")


def _text(data: dict[str, Any], line: int) -> str:
    texts = [data["text"]] if "text" in data else [value for key, value in data.items() if _may_be_text(key, value)]
    if len(texts) != 1 or not isinstance(texts[0], str):
        raise MalformedFile('the task has no string "text" in its "data".', line=line)
    return check_text(texts[0], line)


def _may_be_text(key: str, value: object) -> bool:
    return isinstance(value, str) and key not in _SHORT_KEYS


def _results(task: dict[str, Any], unread: Counter[str], line: int) -> list[Any] | None:
    """The results of the annotation that counts; None where the task has none."""
    unread["predictions"] += len(task.get("predictions") or ())
    found = task.get("annotations", task.get("completions"))
    if found is None:
        lists = [value for key, value in task.items() if isinstance(value, list) and key != "predictions"]
        return lists[0] if lists else None
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise MalformedFile('"annotations" is not a list of objects.', line=line)
    done = [item for item in found if not item.get("was_cancelled")]
    unread["annotations"] += max(0, len(done) - 1)
    if not done:
        return None
    chosen = next((item for item in done if item.get("ground_truth")), done[0])
    results = chosen.get("result", [])
    if not isinstance(results, list):
        raise MalformedFile('"result" is not a list.', line=line)
    return results


def _spans(
    spans_of_text: SpanChecker, text: str, result: object, unread: Counter[str], line: int
) -> Iterator[EntitySpan]:
    value = result.get("value", result) if isinstance(result, dict) else None
    if not isinstance(value, dict):
        raise MalformedFile("a result has no value.", line=line)
    labels = value.get("labels", value.get("hypertextlabels"))
    if not isinstance(labels, list) or not labels:
        unread["results"] += 1
        return
    for label in labels:
        yield spans_of_text.span(text, value.get("start"), value.get("end"), label, value.get("text"), line)


def _meta(task: dict[str, Any], data: dict[str, Any], text: str) -> dict[str, Any]:
    meta = data.get("meta")
    known = _SHORT_KEYS if data is task else set()
    others = {
        key: value
        for key, value in data.items()
        if key not in known | {"meta", "predictions"} and value != text and not (data is task and _is_marks(value))
    }
    return others | (meta if isinstance(meta, dict) else {} if meta is None else {"meta": meta})


def _is_marks(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


def _result(text: str, span: EntitySpan, number: int, place: int) -> dict[str, Any]:
    value = {"start": span.start, "end": span.end, "text": span.surface(text), "labels": [span.label]}
    return {"id": f"{number}-{place}", "from_name": "label", "to_name": "text", "type": "labels", "value": value}


FORMAT = Format("label-studio", (), recognises, read, write, suffix=".json")
