"""The script that Streamlit runs for every visit.

It has a folder of its own: Streamlit takes a folder `pages` beside its script for its own older kind of pages.
"""

from workbench.app import main

main()
