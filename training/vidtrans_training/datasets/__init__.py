"""Training data as people have it, as `vidtrans_training.clip.Clip`s."""
