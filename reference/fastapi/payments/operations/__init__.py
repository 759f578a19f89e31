"""What the PSP was asked to do, and how that ended: the persisted attempts."""
