"""The span editor and the judge: Streamlit components in plain JavaScript that read and write through the API."""

from workbench.editor.component import draw_editor, draw_judge

__all__ = ["draw_editor", "draw_judge"]
