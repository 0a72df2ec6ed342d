"""Recipes by their training name: the table itself is in the registry, where the API can read it too."""

from registry.recipes import OF_THE_RUN, RECIPES, Recipe, get_recipe

__all__ = ["OF_THE_RUN", "RECIPES", "Recipe", "get_recipe"]
