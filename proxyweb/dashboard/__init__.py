"""The dashboard: pages that are empty shells when they leave the server, and scripts that ask the API for the rest.

`pages` lists them, `sign_in` lets people in, `assets` serves what pages load, `words` holds every word they say.
"""
