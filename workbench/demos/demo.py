"""A page for people without a key: one version's answers, or two side by side, behind a link that expires."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr
from fastapi import FastAPI

from workbench.api_client import ApiClient, ApiError, Body, RetryPolicy
from workbench.api_transport import HttpCaller
from workbench.demos.frames import DemoFrames
from workbench.look import label_colour, plural

EXAMPLES = (
    "John lives in New York. On Friday he meets Angela Merkel in Berlin.",
    "Google acquired YouTube for $1.65 billion in 2006. Apple Inc is in California.",
    "Barack Obama was president of the United States when NATO met in Lisbon in November 2010.",
)
WRONG = "This is not the passphrase of this demo."
NO_TOKEN = "This page opens with a demo link; ask whoever runs the workbench for one."
_TOO_MANY = 429
_LOOK_SECONDS = 0.05
_PROGRESS_SECONDS = 1.0
FONTS = ("ui-sans-serif", "system-ui", "sans-serif")
CSS = """
footer { display: none !important; }
.gradio-container { width: 100%; max-width: 60rem !important; margin: 0 auto !important; }
.token.highlighted, .legend-item { color: inherit !important; }
.token-container, .token { margin: 0 !important; }
"""

Segment = tuple[str, str | None]


def build_demo(api_url: str | HttpCaller) -> gr.Blocks:
    """The demo's blocks, asking the API at `api_url`. The visitor's token comes from the page's address, `?token=`."""
    client = ApiClient(api_url, timeout_seconds=20, retry=RetryPolicy(attempts=3, longest_pause_seconds=1))

    def greet(request: gr.Request) -> tuple[Any, ...]:
        token = str(request.query_params.get("token", ""))
        return token, *enter(client, token, None)

    def unlock(token: str, passphrase: str) -> tuple[Any, ...]:
        return enter(client, token, passphrase)

    def respond(token: str, ticket: str, text: str) -> tuple[Any, ...]:
        return answer(client, token, text, ticket)

    with gr.Blocks(title="NER demo", analytics_enabled=False) as blocks:
        token, ticket = gr.State(""), gr.State("")
        gr.Markdown("# Which names are in this text?")
        said = gr.Markdown()
        with gr.Column(visible=False) as gate:
            passphrase = gr.Textbox(label="Passphrase", type="password", autofocus=True, max_lines=1)
            opener = gr.Button("Open the demo", variant="primary")
        with gr.Column(visible=False) as room:
            text = gr.Textbox(EXAMPLES[0], label="Text", lines=4, placeholder="Type or paste a text", autofocus=True)
            gr.Examples([[example] for example in EXAMPLES], inputs=[text], label="Examples", api_visibility="private")
            button = gr.Button("Find entities", variant="primary")
            with gr.Row():
                left, right = (_highlight() for _ in range(2))
            table = gr.Dataframe(headers=["Version", "Entity", "Label", "Confidence"], interactive=False, visible=False)
        shown = [said, room, left, right, table]
        blocks.load(greet, outputs=[token, ticket, gate, *shown], api_visibility="private", show_progress="hidden")
        for event in (opener.click, passphrase.submit):
            event(unlock, inputs=[token, passphrase], outputs=[ticket, gate, *shown], api_visibility="private")
        for event in (button.click, text.submit):
            event(respond, inputs=[token, ticket, text], outputs=shown, api_visibility="private")
    return blocks


def mount_demo(app: FastAPI, api_url: str, *, path: str = "/demo") -> None:
    """Mount the demo on `app`, in the workbench's colours and with the fonts of the visitor's own system. Only the
    sites that a link names may embed its page.
    """
    app.add_middleware(DemoFrames, api_url=api_url, path=path)
    theme = gr.themes.Soft(primary_hue="cyan", neutral_hue="slate", font=FONTS, font_mono=FONTS)
    theme.set(button_primary_background_fill="*primary_700", button_primary_background_fill_hover="*primary_600")
    theme.set(block_title_text_color="*primary_800", block_label_text_color="*primary_800")
    demo = build_demo(api_url)
    # Gradio looks for questions a thousand times a second, which takes more of a processor than all else that rests.
    demo._queue.sleep_when_free = _LOOK_SECONDS
    # And a hundred times for progress to show, of which a demo has none.
    demo._queue.progress_update_sleep_when_free = _PROGRESS_SECONDS
    gr.mount_gradio_app(app, demo, path=path, theme=theme, css=CSS, footer_links=[], ssr_mode=False)


def _highlight() -> gr.HighlightedText:
    return gr.HighlightedText(interactive=False, show_legend=True, combine_adjacent=False, visible=False)


def enter(client: ApiClient, token: str, passphrase: str | None) -> tuple[Any, ...]:
    """The ticket, whether the gate is shown, and what the page shows when it was opened with `passphrase`."""
    hidden = gr.update(visible=False)
    if not token:
        return "", hidden, *_closed(NO_TOKEN)
    try:
        entry = client.enter_demo(token, passphrase)
    except ApiError as error:
        may_try_again = passphrase is not None and (error.message == WRONG or error.status == _TOO_MANY)
        return "", gr.update(visible=may_try_again), *_closed(_sentence(error))
    if entry["needs_passphrase"]:
        return "", gr.update(visible=True), *_closed("This demo opens with a passphrase.")
    return entry["ticket"], hidden, *_open(_words(entry))


def answer(client: ApiClient, token: str, text: str, ticket: str = "") -> tuple[Any, ...]:
    """What the page shows after a question: a sentence, whether the room is open, two texts, and the table."""
    if not token:
        return _closed(NO_TOKEN)
    if not text.strip():
        return _open("Type a text, then press the button.")
    try:
        body = client.answer_demo(token, text, ticket)
    except ApiError as error:
        if error.status in {401, 403, 404, 410}:
            return _closed(error.message)
        return _open(_sentence(error))
    rows = gr.update(value=_rows(body), visible=True)
    return _words(body), gr.update(visible=True), *_texts(body, text), rows


def _sentence(error: ApiError) -> str:
    """What a guest is told; of limits in words of their own, for a guest has no key that could be raised."""
    if error.status != _TOO_MANY:
        return error.message
    minutes = max(1, math.ceil(float(error.details.get("retry_after_seconds") or 60) / 60))
    return f"This demo has been asked too often in the last hour; try again in {plural(minutes, 'minute')}."


def _open(sentence: str) -> tuple[Any, ...]:
    return sentence, gr.update(visible=True), gr.skip(), gr.skip(), gr.skip()


def _closed(sentence: str) -> tuple[Any, ...]:
    return sentence, gr.update(visible=False), gr.skip(), gr.skip(), gr.skip()


def _words(body: Body) -> str:
    if body["compared_with"]:
        return f"Versions {body['version']} and {body['compared_with']}, side by side."
    return f"Version {body['version']}."


def _texts(body: Body, text: str) -> tuple[Any, Any]:
    left = _highlighted(text, body["left"]["entities"], body["version"])
    if body["right"] is None:
        return left, gr.update(visible=False)
    return left, _highlighted(text, body["right"]["entities"], body["compared_with"])


def _highlighted(text: str, entities: Sequence[Mapping[str, Any]], version: str) -> Any:
    colours = {entity["label"]: label_colour(entity["label"]) for entity in entities}
    return gr.HighlightedText(value=segments(text, entities), label=version, color_map=colours, visible=True)


def _rows(body: Body) -> list[list[Any]]:
    sides = [(body["version"], body["left"])]
    if body["right"] is not None:
        sides.append((body["compared_with"], body["right"]))
    return [
        [version, entity["text"], entity["label"], f"{100 * entity['confidence']:.0f} %"]
        for version, side in sides
        for entity in side["entities"]
    ]


def segments(text: str, entities: Sequence[Mapping[str, Any]]) -> list[Segment]:
    """The text cut at the entities' borders; joined, the pieces are the text. Of overlapping ones the longest first."""
    pieces: list[Segment] = []
    done = 0
    for entity in sorted(entities, key=lambda entity: (entity["start"], -entity["end"])):
        if entity["start"] < done:
            continue
        if entity["start"] > done:
            pieces.append((text[done : entity["start"]], None))
        pieces.append((text[entity["start"] : entity["end"]], str(entity["label"])))
        done = entity["end"]
    if done < len(text):
        pieces.append((text[done:], None))
    return pieces
