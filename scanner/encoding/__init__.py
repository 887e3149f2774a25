"""From bases to the tensors that models read."""

from ..compiled import provide_cache_folder

provide_cache_folder()
