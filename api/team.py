"""Several people on the same documents: how many must agree, how far they do, and who decides."""

import dataclasses

from annotation.corrections import save_decision
from annotation.datasets import create_dataset, get_document
from annotation.stored import load_dataset
from annotation.tasks import release
from annotation.votes import answers_in, ask_people, next_disagreement
from api.bodies import refusals
from api.documents import checked_spans
from api.roles import Called, Wired, guarded_router, role
from api.schemas import (
    AgreementShape,
    AnnotationResponse,
    DecisionRequest,
    GammaAgreementShape,
    NewDataset,
    PairShape,
    PeopleRequest,
    RulesShape,
)
from dashboards.agreement import measure_agreement
from dashboards.gamma import AnsweredText, measure_gamma
from registry import audit

router = guarded_router(prefix="/api/v1", tags=["text"], responses=refusals(401, 403))


@router.post("/datasets", response_model=RulesShape, status_code=201, responses=refusals(409, 422))
@role("engineer")
def create(body: NewDataset, wiring: Wired, caller: Called) -> RulesShape:
    """A new, empty dataset with its rules. An import into a new name makes one too, for one annotator."""
    with wiring.database.transaction() as connection:
        create_dataset(
            connection,
            body.name,
            body.labels,
            caller.name,
            nesting=body.nesting,
            annotators_required=body.annotators_required,
        )
        return RulesShape.model_validate(load_dataset(connection, body.name), from_attributes=True)


@router.put("/datasets/{name}/people", response_model=RulesShape, responses=refusals(404, 422))
@role("engineer")
def ask_for_people(name: str, body: PeopleRequest, wiring: Wired, caller: Called) -> RulesShape:
    """How many people must agree before a document is gold, from now on; what is gold stays gold."""
    with wiring.database.transaction() as connection:
        ask_people(connection, name, body.annotators_required, caller.name)
        return RulesShape.model_validate(load_dataset(connection, name), from_attributes=True)


@router.get("/datasets/{name}/agreement", response_model=AgreementShape, responses=refusals(404))
@role("reviewer")
def agreement(name: str, wiring: Wired) -> AgreementShape:
    """How far people agree on the documents that two or more of them corrected."""
    with wiring.database.reading() as connection:
        documents = answers_in(connection, name)
        waiting = next_disagreement(connection, name)[2]
    measured = measure_agreement((text, answers) for _, text, answers in documents)
    return AgreementShape(
        documents=measured.documents,
        people=measured.people,
        alpha=measured.alpha,
        why_not=measured.why_not,
        pairs=[PairShape(**dataclasses.asdict(pair)) for pair in measured.pairs],
        waiting=waiting,
    )


@router.get("/datasets/{name}/agreement/gamma", response_model=GammaAgreementShape, responses=refusals(404))
@role("reviewer")
def gamma(name: str, wiring: Wired) -> GammaAgreementShape:
    """Gamma of everybody, of each label and of each pair, and the documents that are least agreed upon. Takes seconds.
    Of more than 4,000 spans, documents drawn by chance are measured, always the same.
    """
    with wiring.database.reading() as connection:
        documents = answers_in(connection, name)
    measured = measure_gamma(AnsweredText(*one) for one in documents)
    least = [{"document_id": document, "gamma": value} for document, value in measured.least_agreed]
    return GammaAgreementShape.model_validate(dataclasses.asdict(measured) | {"least_agreed": least})


@router.post(
    "/documents/{document_id}/decision",
    response_model=AnnotationResponse,
    status_code=201,
    responses=refusals(404, 409, 422),
)
@role("reviewer")
def decide(document_id: str, body: DecisionRequest, wiring: Wired, caller: Called) -> AnnotationResponse:
    """Settle a document: these spans are gold, whoever agrees. Sent again with the same `operation_id`, once."""
    with wiring.database.transaction() as connection:
        document = get_document(connection, document_id)
        saved = save_decision(
            connection,
            document_id,
            base_revision=body.base_revision,
            spans=checked_spans(document.text, body.spans),
            operation_id=body.operation_id,
            author=caller.name,
        )
        if saved.revision > document.revision:
            details = {"dataset": document.dataset, "revision": saved.revision, "spans": len(body.spans)}
            audit.append(
                connection, actor=caller.name, action="annotation.decided", subject=document_id, details=details
            )
    return AnnotationResponse(document_id=document_id, revision=saved.revision, is_gold=saved.is_gold)


@router.delete("/tasks/{document_id}/lease", status_code=204)
@role("annotator")
def give_back(document_id: str, wiring: Wired, caller: Called) -> None:
    """Give a document back that this person does not work on after all."""
    with wiring.database.transaction() as connection:
        release(connection, document_id, caller.name)
