"""Many sequences, each a run of ``convert``, with a record of all of them that survives crashes."""
