"""A file on its way from the browser into a dataset."""

from tests.workbench.world import PLACES, TEXTS, World, labelled_lines
from workbench.api_client import ApiClient
from workbench.uploads import Upload


def test_the_result_is_kept_when_the_file_is_good(world: World) -> None:
    with world.api("engineer") as http:
        upload = Upload("news", "news.jsonl")
        upload.send(ApiClient(http), labelled_lines(TEXTS), "auto")
    assert upload.is_over
    assert upload.result is not None
    assert upload.result["added"] == len(TEXTS)
    assert upload.share == 1


def test_the_servers_sentence_is_kept_when_the_file_is_bad(world: World) -> None:
    world.add_stable("1.0.0", PLACES)
    with world.api("engineer") as http:
        upload = Upload("news", "news.jsonl")
        upload.send(ApiClient(http), b"{broken\n", "jsonl")
    assert upload.error is not None
    assert "Line 1" in upload.error.message


def test_nothing_is_done_before_the_server_has_read_anything() -> None:
    upload = Upload("news", "news.jsonl")
    assert (upload.share, upload.is_over) == (0, False)
