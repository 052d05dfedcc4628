"""Identify the language that texts are in (that of messages is in `ftrun.language`).

`tables` has what is known of languages: names, scripts, letters and common words. `majority` says which
language most of many texts are in, `single` which one a single text is surely in.
"""
