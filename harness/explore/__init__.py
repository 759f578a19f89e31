"""``assay explore``: the races of any service on PostgreSQL, by a specification of the user's."""
