"""Have MkDocs show the pages of the root beside those of `docs/`; a hook of `mkdocs.yml`.

They lie in the root, where a reader of the repository looks for them. The site has them too, so
that every link from page to page holds. `README.md` has another name there, because MkDocs would
take it for the first page.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
PAGES = {
    "introduction.md": "README.md",
    "CONTRIBUTING.md": "CONTRIBUTING.md",
    "CHANGELOG.md": "CHANGELOG.md",
    "LICENSE": "LICENSE",
}
_TO_DOCS, _TO_ROOT = re.compile(r"\]\(docs/"), re.compile(r"\]\(\.\./")
_TO_README = re.compile(r"\]\(README\.md")


def on_files(files: Files, config: Any) -> Files:
    """Add the pages of the root."""
    for name, source in PAGES.items():
        files.append(File.generated(config, name, abs_src_path=str(ROOT / source)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Let links between the root and `docs/` lead to where the pages are in the site."""
    pattern = _TO_DOCS if page.file.src_uri in PAGES else _TO_ROOT
    return _TO_README.sub("](introduction.md", pattern.sub("](", markdown))
