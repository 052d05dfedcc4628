"""From the sources of an experiment to rows: formats, encodings, selection and grouping."""
