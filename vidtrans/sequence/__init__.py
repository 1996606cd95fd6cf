"""The recurrent step: the model, its state between two frames, transfers to the device."""
