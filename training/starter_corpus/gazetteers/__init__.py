"""Lists of names and words, one text file per kind; a line is an entry, `#` starts a comment line."""
