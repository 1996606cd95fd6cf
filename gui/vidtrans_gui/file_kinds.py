"""Filters of file dialogs."""

FILMS = "*.mkv *.mp4 *.mov *.webm *.avi *.nut *.y4m *.m4v *.png *.bmp *.tif *.tiff"
"""What is opened as a film."""
