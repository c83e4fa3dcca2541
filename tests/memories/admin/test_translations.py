"""Texts for people are marked for translation: nothing else would tell of one that is not."""

import ast
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

import memories

ROOT = Path(memories.__file__).parent
MODULES = sorted((ROOT / "admin").glob("*.py"))
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
UNITS = {"ms"}
TOLD_BY_KEYWORD = {"description", "label", "help_text"}
TOLD_BY_NAME = {"title", "search_help_text", "default"}


def bare(node):
    """Whether the value is a text that nobody translates. Names without a letter need none."""
    if isinstance(node, ast.JoinedStr):
        return any(bare(part) for part in node.values)
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and _is_text(node.value)


def _is_text(value):
    return re.search(r"[A-Za-z]{2}", value) is not None


def faults_in(tree):
    for node in ast.walk(tree):
        match node:
            case ast.Call():
                told = [key.value for key in node.keywords if key.arg in TOLD_BY_KEYWORD]
                if getattr(node.func, "attr", "") == "message_user":
                    told += node.args[1:2]
                if getattr(node.func, "id", "") == "ValidationError":
                    told += node.args[:1]
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if name in TOLD_BY_NAME:
                told = [value]
            case ast.Assign(targets=[ast.Name(id="labels")], value=ast.Dict(values=values)):
                told = values
            case _:
                continue
        yield from (f"line {one.lineno}: {ast.unparse(one)}" for one in told if bare(one))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_the_texts_of_a_screen_are_marked(path):
    assert list(faults_in(ast.parse(path.read_text()))) == []


class Shown(HTMLParser):
    """The texts of a page outside of scripts and icons, and those that are read out."""

    def __init__(self):
        super().__init__()
        self.texts = []
        self._is_icon = False

    def handle_starttag(self, tag, attributes):
        told = dict(attributes)
        self._is_icon = tag in ("script", "style", "title") or "material-symbols" in (
            told.get("class") or ""
        )
        self.texts += [told.get(name) or "" for name in ("aria-label", "placeholder", "title")]

    def handle_endtag(self, tag):
        self._is_icon = False

    def handle_data(self, data):
        if not self._is_icon:
            self.texts.append(data.strip())


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_the_texts_of_a_template_are_marked(path):
    """What is left without what Django puts in holds no word."""
    text = path.read_text()
    text = re.sub(r"\{% blocktranslate.*?%\}.*?\{% endblocktranslate %\}", " ", text, flags=re.S)
    text = re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", " ", text, flags=re.S)
    shown = Shown()
    shown.feed(text)
    assert [told for told in shown.texts if _is_text(told) and told not in UNITS] == []
