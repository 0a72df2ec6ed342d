"""Must-pass examples that people pinned, asked of a version when it is to answer, not only when it was trained."""

from annotation.history import required_answers
from api.compare import found_by
from api.wiring import Wiring
from ner.outcomes import key_of
from registry.rollout import current_rollout
from registry.versions import get_version


def broken_now(wiring: Wiring, version: str | None) -> list[str]:
    """The must-pass examples that the version answers wrongly, those included that people settled after it was made."""
    with wiring.database.reading() as connection:
        state = current_rollout(connection)
        chosen = version or state.canary
        if chosen is None or state.stable is None:
            return []
        examples = required_answers(connection, get_version(connection, chosen).dataset)
    if not examples:
        return []
    answers = found_by(wiring.serving.version(chosen), examples)
    return [
        example.text
        for example, spans in zip(examples, answers, strict=True)
        if {key_of(span) for span in example.spans} != {key_of(span) for span in spans}
    ]
