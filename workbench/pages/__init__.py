"""The screens: one module each, with `page()`."""
