"""Styles made from pictures by k-means, and the sheet that shows them."""
