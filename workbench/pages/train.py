"""Train: gold text in, a version out, with the work in sight while it runs."""

from typing import Any

import streamlit as st

from dashboards import figures
from workbench.api_client import ApiError, Body
from workbench.browser import api, explain, guarded
from workbench.charts import draw, theme
from workbench.layout import empty_state, heading
from workbench.look import plural
from workbench.run_cards import draw_active_run, draw_history
from workbench.uploads import Upload

FORMATS = {
    "auto": "Recognise it",
    "gmb": "GMB (Kaggle CSV)",
    "conll": "CoNLL columns",
    "jsonl": "JSONL (text, spans)",
    "csv": "CSV (a column of texts)",
    "text": "Plain text",
    "spacy": "spaCy DocBin",
    "doccano": "doccano (JSONL)",
    "label-studio": "Label Studio (JSON)",
    "prodigy": "Prodigy (JSONL)",
    "huggingface": "Hugging Face (zip, Parquet, Arrow)",
    "brat": "brat (zip)",
    "webanno": "WebAnno TSV 3",
    "xmi": "UIMA XMI (zip)",
    "bioc": "BioC (XML)",
}


def page() -> None:
    """Start a run, watch it, and put what came of it on trial."""
    heading("Train", "Learn from settled text. A run becomes a version; a version may go on trial as the canary.")
    datasets = api().datasets()
    _draw_upload_progress()
    if datasets:
        _draw_form(datasets)
    else:
        empty_state("No dataset yet", "Import a file below: then there is something to learn from.")
    with st.expander("Import a file", icon=":material/upload_file:", expanded=not datasets):
        _draw_import_form(datasets)
    _draw_runs()


def _draw_form(datasets: list[Body]) -> None:
    recipes = {recipe["name"]: recipe for recipe in api().recipes()}
    sizes = {dataset["name"]: dataset for dataset in datasets}
    with st.container(border=True):
        left, middle, right = st.columns([2, 2, 1], vertical_alignment="bottom")
        dataset = left.selectbox(
            "Dataset",
            list(sizes),
            key="train_dataset",
            persist_state="session",
            format_func=lambda name: _sized(sizes[name]),
        )
        recipe = middle.selectbox("Recipe", list(recipes), key="train_recipe", persist_state="session")
        start = right.button("Start training", type="primary", icon=":material/play_arrow:", width="stretch")
        st.caption(recipes[recipe]["description"])
        with st.expander("Parameters", type="compact"):
            parameters = _draw_parameters(recipe, recipes[recipe]["parameters"])
        _draw_advice(dataset, recipe)
        if start:
            _start(dataset, recipe, parameters)


def _draw_advice(dataset: str, recipe: str) -> None:
    """What more text was worth to this recipe so far."""
    curve = next((one for one in api().learning_curves(dataset) if one["recipe"] == recipe), None)
    if curve is None:
        return
    with st.expander(curve["advice"], icon=":material/trending_up:", type="compact"):
        draw(figures.learning_curve(curve, theme()), key="train_curve")


def _sized(dataset: Body) -> str:
    return f"{dataset['name']} ({dataset['gold']:,} of {plural(dataset['documents'], 'document')} settled)"


def _draw_parameters(recipe: str, defaults: Body) -> Body:
    """A field per parameter; what differs from the recipe's own value is returned."""
    columns = st.columns(4)
    chosen: Body = {}
    for position, (name, default) in enumerate(sorted(defaults.items())):
        value = _draw_parameter(columns[position % 4], name, default, key=f"train_{recipe}_{name}")
        if value != default and value is not None:
            chosen[name] = value
    return chosen


def _draw_parameter(place: Any, name: str, default: Any, *, key: str) -> Any:
    label = name.replace("_", " ")
    if isinstance(default, bool):
        return place.toggle(label, default, key=key)
    if isinstance(default, int):
        return place.number_input(label, value=default, step=1, key=key)
    if isinstance(default, float):
        return place.number_input(label, value=default, format="%g", step=default / 10 or 0.1, key=key)
    if isinstance(default, str):
        return place.text_input(label, default, key=key)
    return default


def _start(dataset: str, recipe: str, parameters: Body) -> None:
    try:
        run = api().start_run(dataset, recipe, parameters)
    except ApiError as error:
        explain(error)
        return
    st.session_state["train_run"] = run["id"]
    st.toast(f"Training on {dataset} is queued.", icon=":material/check_circle:")


# --- files ---


def _draw_import_form(datasets: list[Body]) -> None:
    names = [dataset["name"] for dataset in datasets]
    file = st.file_uploader("File", key=f"import_file_{st.session_state.get('import_count', 0)}")
    left, middle, right = st.columns([2, 2, 1], vertical_alignment="bottom")
    dataset = left.selectbox(
        "Into the dataset",
        names,
        index=None,
        accept_new_options=True,
        placeholder="Choose one or type a new name",
        key="import_into",
    )
    format_name = middle.selectbox("Format", list(FORMATS), format_func=FORMATS.__getitem__, key="import_format")
    ready = file is not None and bool(dataset)
    if right.button("Import", disabled=not ready, width="stretch") and file is not None and dataset:
        upload = Upload(dataset.strip(), file.name)
        st.session_state["upload"] = upload.start(api(), file.getvalue(), format_name)
        st.session_state["import_count"] = st.session_state.get("import_count", 0) + 1
        st.rerun()


def _draw_upload_progress() -> None:
    upload: Upload | None = st.session_state.get("upload")
    if upload is None:
        return
    if not upload.is_over:
        st.fragment(run_every=0.5)(_watch_upload)()
        return
    told, dismiss = st.columns([6, 1], vertical_alignment="center")
    with told:
        if upload.error is not None:
            explain(upload.error)
        elif upload.result is not None:
            _draw_import_result(upload.result)
    dismiss.button("Dismiss", key="dismiss_upload", width="stretch", on_click=st.session_state.pop, args=("upload",))


@guarded
def _watch_upload() -> None:
    upload: Upload = st.session_state["upload"]
    if upload.is_over:
        st.rerun()
    words = "The server reads it" if upload.done else "On its way to the server"
    st.progress(upload.share, text=f"{upload.filename} → {upload.dataset}: {words}")


def _draw_import_result(result: Body) -> None:
    entities = sum(result["entities"].values())
    skipped = f", {result['skipped']:,} were there already" if result["skipped"] else ""
    st.success(
        f"**{result['dataset']}**: {plural(result['added'], 'document')} added{skipped}; "
        f"{plural(entities, 'entity', 'entities')} in the file (format {result['format']}).",
        icon=":material/check_circle:",
    )
    if result.get("notes"):
        with st.expander(plural(len(result["notes"]), "note"), type="compact"):
            st.markdown("\n".join(f"- {note}" for note in result["notes"]))


# --- runs ---


def _draw_runs() -> None:
    runs = api().runs()
    active = [run for run in runs if run["status"] in {"queued", "running"}]
    st.subheader("Runs", anchor=False)
    if not runs:
        empty_state("No run yet", "Choose a dataset and a recipe above, and press Start training.")
        return
    if active:
        st.fragment(run_every=1.5)(_watch_runs)(sorted(run["id"] for run in active))
    draw_history([run for run in runs if run not in active])


@guarded
def _watch_runs(shown: list[str]) -> None:
    """The runs that are not over; when that set changes, the whole page is drawn again."""
    active = [run for run in api().runs() if run["status"] in {"queued", "running"}]
    if sorted(run["id"] for run in active) != shown:
        st.rerun()
    for run in sorted(active, key=lambda run: run["status"] != "running"):
        draw_active_run(run)
