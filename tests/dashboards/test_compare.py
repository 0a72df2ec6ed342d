import pytest

from api.schemas import CompareResponse
from dashboards.compare import compare
from ner.documents import Document, EntitySpan
from ner.predictions import ScoredSpan

TEXT = "John lives in New York"
JOHN, CITY = ScoredSpan(0, 4, "per", 0.9), ScoredSpan(14, 22, "geo", 0.8)


def a_document(name: str, is_gold: bool = False) -> Document:
    spans = (EntitySpan(0, 4, "per"), EntitySpan(14, 22, "geo")) if is_gold else ()
    return Document(name, "news", TEXT, 1, spans, is_gold)


def test_parts_fit_the_http_contract_when_versions_disagree() -> None:
    documents = [a_document("same"), a_document("label"), a_document("worst", is_gold=True)]
    left = [[JOHN, CITY], [JOHN, CITY], [JOHN, CITY]]
    right = [[JOHN, CITY], [JOHN, ScoredSpan(14, 22, "org", 0.5)], [ScoredSpan(18, 22, "geo", 0.4)]]
    found = CompareResponse(left="1.0.0", right="1.1.0", **compare(documents, left, right))
    assert [document.document_id for document in found.documents] == ["worst", "label", "same"]
    assert (found.compared, found.different) == (3, 2)
    assert found.counts == {"match": 3, "label": 1, "missing": 1, "border": 1}
    assert found.documents[0].gold is not None
    assert [span.text for span in found.documents[0].gold] == ["John", "New York"]
    assert found.left_score is not None
    assert found.right_score is not None
    assert (found.left_score["f1"], found.right_score["f1"], found.left_score["documents"]) == (1, 0, 1)


def test_nothing_is_claimed_beyond_the_documents_when_few_are_gold() -> None:
    found = compare([a_document(str(n), is_gold=True) for n in range(9)], [[JOHN, CITY]] * 9, [[JOHN]] * 9)
    assert found["f1_difference"] == {"difference": pytest.approx(2 / 3 - 1), "low": -1, "high": 1}


def test_the_difference_has_an_interval_when_enough_documents_are_gold() -> None:
    documents = [a_document(str(n), is_gold=True) for n in range(40)]
    right = [[JOHN] if n % 2 else [JOHN, CITY] for n in range(40)]
    found = compare(documents, [[JOHN, CITY]] * 40, right)["f1_difference"]
    assert -0.5 < found["low"] <= found["difference"] <= found["high"] < 0


def test_there_are_no_scores_when_no_document_is_gold() -> None:
    found = compare([a_document("a")], [[JOHN]], [[JOHN]])
    assert (found["left_score"], found["right_score"], found["f1_difference"]) == (None, None, None)
