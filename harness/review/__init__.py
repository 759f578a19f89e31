"""``assay review``: the local page on which a candidate reviews a pull request."""
