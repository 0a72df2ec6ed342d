"""The Gradio demo of a version, behind a link that expires."""
