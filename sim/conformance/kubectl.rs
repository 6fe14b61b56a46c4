//! What kubectl printed, against what ours prints of the same objects.
