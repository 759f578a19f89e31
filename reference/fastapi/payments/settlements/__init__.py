"""What the PSP says it moved on a day, held against our books; nothing here moves money."""
