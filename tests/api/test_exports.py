"""Exports: what is lost is said before the download, and again with it."""

import json
from typing import Any

import pytest

from tests.api.rooms import Room

TEXT = "Acme-Corp hired Ada Lovelace in Rome"
LINES = [
    {"text": TEXT, "spans": [[0, 2, "org"], [16, 28, "per"], [20, 28, "per"], [32, 36, "geo"]]},
    {"text": "Waiting."},
]


@pytest.fixture
def news(room: Room) -> Room:
    content = "\n".join(json.dumps(line) for line in LINES).encode()
    room.client.post("/api/v1/datasets/news/import", content=content, headers=room.headers("engineer"))
    return room


def _asked(room: Room, path: str, **parameters: str) -> Any:
    return room.client.get(f"/api/v1/datasets/news/{path}", params=parameters, headers=room.headers())


@pytest.mark.parametrize("format_name", ["conll", "jsonl", "webanno", "spacy", "brat", "huggingface"])
def test_the_report_says_what_the_download_then_loses(news: Room, format_name: str) -> None:
    report = _asked(news, "export/report", format=format_name).json()
    download = _asked(news, "export", format=format_name)

    summary = json.loads(download.headers["X-Export-Summary"])
    assert summary["losses"] == report["losses"]
    assert (summary["documents"], summary["entities"]) == (report["documents"], sum(report["entities"].values()))


def test_every_span_that_would_be_dropped_is_counted_and_named(news: Room) -> None:
    report = _asked(news, "export/report", format="conll").json()

    assert report["documents"] == 1
    assert report["entities"] == {"per": 1, "geo": 1}
    assert [loss for loss in report["losses"] if "inside a token: 1." in loss and "'Ac' [0, 2) org" in loss]
    assert [loss for loss in report["losses"] if "overlap" in loss and "'Lovelace' [20, 28) per" in loss]
    assert [loss for loss in report["losses"] if loss.startswith("Documents without settled spans")]


def test_conll_is_written_in_the_scheme_that_is_asked_for(news: Room) -> None:
    rows = _asked(news, "export", format="conll", scheme="BILOU").content.decode().splitlines()

    assert [row.split("\t")[1] for row in rows if row.startswith(("Ada", "Love", "Rome"))] == [
        "B-per",
        "L-per",
        "U-geo",
    ]


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"format": "conll", "scheme": "IOB9"}, "choose one of IOB1, IOB2, IOE2, BILOU, BMES"),
        ({"format": "jsonl", "scheme": "IOB1"}, "has no tagging scheme"),
        ({"format": "xlsx"}, "is not a format"),
    ],
)
def test_an_export_is_refused_before_it_begins_when(news: Room, parameters: dict[str, str], sentence: str) -> None:
    for path in ("export", "export/report"):
        answer = _asked(news, path, **parameters)
        assert answer.status_code == 422
        assert sentence in answer.json()["error"]["message"]


def test_a_download_is_named_after_what_it_is(news: Room) -> None:
    named = [
        _asked(news, "export", format=name).headers["Content-Disposition"] for name in ("brat", "label-studio", "spacy")
    ]
    assert named == [f'attachment; filename="news{suffix}"' for suffix in (".zip", ".json", ".spacy")]
