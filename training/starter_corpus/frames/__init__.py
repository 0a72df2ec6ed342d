"""Sentence frames, one text file per domain; a line is a frame, `#` starts a comment line. Syntax: `grammar.py`."""
