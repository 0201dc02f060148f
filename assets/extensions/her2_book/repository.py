"""The addresses of the repository and of the published site: set once, or taken from the environment.

Without the repository's address a page has no launch button, no issue link and no link to its history.
"""

import os

#: Fill these in when the book has a home; the workflow that publishes sets them through the environment.
REPOSITORY = ""
SITE = ""
BRANCH = "main"


def addresses() -> dict[str, str]:
    """Addresses of repository and site, without a final slash; empty where unknown."""
    return {
        "repository": os.environ.get("BOOK_REPOSITORY", REPOSITORY).rstrip("/"),
        "site": os.environ.get("BOOK_SITE", SITE).rstrip("/"),
        "branch": os.environ.get("BOOK_BRANCH", BRANCH),
    }


def set_site(app, config):
    site = addresses()["site"]
    config.html_baseurl = site and site + "/"
    config.ogp_site_url = site and site + "/"


def setup(app):
    app.connect("config-inited", set_site, priority=100)
