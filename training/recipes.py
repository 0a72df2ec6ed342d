"""Recipes by their training name: the table itself is in the registry, where the API can read it too."""

from registry.recipes import RECIPES, Recipe, get_recipe

__all__ = ["RECIPES", "Recipe", "get_recipe"]
