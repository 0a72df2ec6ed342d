import json
from pathlib import Path

import pytest

from ner.documents import EntitySpan
from ner.errors import MalformedFile
from tests.annotation.files import a_file, read_all

ADA = (EntitySpan(0, 3, "per"),)


@pytest.mark.parametrize(
    "line",
    [
        '{"text": "Ada sat.", "spans": [{"start": 0, "end": 3, "label": "per"}]}',
        '{"text": "Ada sat.", "spans": [{"start": 0, "end": 3, "label": "per", "text": "Ada"}]}',
        '{"text": "Ada sat.", "spans": [[0, 3, "per"]]}',
        '{"text": "Ada sat.", "label": [[0, 3, "per"]]}',
        '{"text": "Ada sat.", "labels": [[0, 3, "per"]]}',
        '{"text": "Ada sat.", "entities": [[0, 3, "per"]]}',
        '{"text": "Ada sat.", "entities": [{"id": 7, "label": "per", "start_offset": 0, "end_offset": 3}]}',
    ],
)
def test_spans_are_read_when_written_in_any_of_the_known_ways(tmp_path: Path, line: str) -> None:
    (document,), _ = read_all(a_file(tmp_path, line + "\r\n\r\n"))
    assert (document.text, document.spans, document.is_labelled) == ("Ada sat.", ADA, True)


@pytest.mark.parametrize(
    ("line", "is_labelled"),
    [('{"text": "x"}', False), ('{"text": "x", "spans": null}', False), ('{"text": "x", "spans": []}', True)],
)
def test_a_text_is_unlabelled_when_spans_are_missing_and_empty_when_they_are_empty(
    tmp_path: Path, line: str, is_labelled: bool
) -> None:
    (document,), _ = read_all(a_file(tmp_path, line))
    assert (document.is_labelled, document.spans) == (is_labelled, ())


def test_offsets_count_characters_when_the_text_has_emoji(tmp_path: Path) -> None:
    fields = {"text": "👩‍🚀 Ada\u0301 in Zürich\r\n", "spans": [[4, 8, "per"], [12, 18, "geo"]]}
    (document,), _ = read_all(a_file(tmp_path, json.dumps(fields)))
    assert [span.surface(document.text) for span in document.spans] == ["Ada\u0301", "Zürich"]


def test_other_keys_are_kept_as_meta(tmp_path: Path) -> None:
    (document,), _ = read_all(a_file(tmp_path, '{"id": 5, "text": "x", "meta": {"a": [1]}, "tags": "y"}'))
    assert document.meta == {"id": 5, "a": [1], "tags": "y"}


def test_unicode_line_breaks_do_not_end_a_line(tmp_path: Path) -> None:
    text = "a\u2028b\u0085c\u2029d\x0be\x0cf"
    (document,), _ = read_all(a_file(tmp_path, json.dumps({"text": text}, ensure_ascii=False)))
    assert document.text == text


def test_the_same_span_twice_is_kept_once_and_noted(tmp_path: Path) -> None:
    line = '{"text": "Ada", "spans": [[0, 3, "per"], [0, 3, "per"], [0, 3, "org"]]}'
    (document,), notes = read_all(a_file(tmp_path, line))
    assert document.spans == (EntitySpan(0, 3, "per"), EntitySpan(0, 3, "org"))
    assert notes == ["Spans that stood twice with the same label, of which one was kept: 1."]


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ('{"text": "Ada"', "cannot be read as a JSON object"),
        ("[1]", "expected one JSON object a line"),
        ('"text"', "expected one JSON object a line"),
        ("{}", 'no string "text"'),
        ('{"text": 5}', 'no string "text"'),
        ('{"text": ""}', "the text is empty"),
        ('{"text": "a\\u0000b"}', "NUL"),
        ('{"text": "a\\ud800b"}', "surrogate"),
        ('{"text": "a", "meta": {"b": ["\\u0000"]}}', "NUL"),
        ('{"text": "a", "n": NaN}', "NaN is not a JSON number"),
        ('{"text": "a", "n": 1e999}', "too large"),
        ('{"text": "Ada", "spans": 5}', '"spans" is not a list'),
        ('{"text": "Ada", "spans": ["Ada"]}', "a span cannot be read"),
        ('{"text": "Ada", "spans": [[0, 3]]}', "a span cannot be read"),
        ('{"text": "Ada", "spans": [[0, 4, "per"]]}', "ends after the text, which has 3 characters"),
        ('{"text": "Ada", "spans": [[2, 2, "per"]]}', "0 <= start < end"),
        ('{"text": "Ada", "spans": [[-1, 2, "per"]]}', "0 <= start < end"),
        ('{"text": "Ada", "spans": [[0, 3, ""]]}', "no usable label"),
        ('{"text": "Ada", "spans": [[0, 3, "a\\tb"]]}', "no usable label"),
        ('{"text": "Ada", "spans": [[0, 3, null]]}', "no usable label"),
        ('{"text": "Ada", "spans": [[true, 3, "per"]]}', "not whole numbers"),
        ('{"text": "Ada", "spans": [["0", 3, "per"]]}', "not whole numbers"),
        ('{"text": "Ada", "spans": [{"start": 0, "end": 3, "label": "per", "text": "ada"}]}', "said to cover 'ada'"),
        ("[" * 5000, "cannot be read as a JSON object"),
    ],
)
def test_a_malformed_line_is_named(tmp_path: Path, line: str, sentence: str) -> None:
    with pytest.raises(MalformedFile, match=sentence) as caught:
        read_all(a_file(tmp_path, f'{{"text": "good"}}\n\n{line}\n'), "jsonl")
    assert caught.value.line == 3
