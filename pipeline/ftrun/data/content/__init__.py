"""The checks of what texts say: is it clean, is it anybody's secret, does it agree with the rest.

`Scanner` looks at one row and knows no other; `Corpus` keeps a few numbers of every row; `near`, `sampled`
and `recall` read prepared files once more, within stated bounds.
"""
