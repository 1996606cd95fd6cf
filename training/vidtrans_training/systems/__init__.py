"""pix2pix, pix2pixHD, vid2vid and street: what each generates, and what its networks minimise."""
