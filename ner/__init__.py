"""The nouns every room shares, the settings and the database.

A file belongs here when at least two floors above need it and it knows no framework:
no Streamlit, Gradio, FastAPI, MLflow, TensorFlow, spaCy, Plotly or pandas.
"""
