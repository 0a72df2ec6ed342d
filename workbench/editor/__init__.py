"""The span editor: one Streamlit component in plain JavaScript that reads and writes through the API by itself."""

from workbench.editor.component import draw_editor

__all__ = ["draw_editor"]
