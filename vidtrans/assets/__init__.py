"""Files that ship with vidtrans: the embedded model and the demo clip."""
