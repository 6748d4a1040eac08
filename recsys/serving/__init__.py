"""From a fitted recommender to recommendations for raw ids."""
