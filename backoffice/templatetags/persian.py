"""What templates need to be Persian where people read, and plain where machines do."""

import math
import re

from django import template
from django.template.loader_tags import ExtendsNode, do_extends
from django.utils import formats
from django.utils.safestring import mark_safe

from backoffice import persian

register = template.Library()
register.filter("code", persian.code)
register.filter("persian_digits", lambda value: persian.digits_shown(_text(value)))

FOREIGN_LINK = re.compile(r"<link\b[^>]*\bhref=[\"']?(?:https?:)?//[^>]*>")
FIXED_VIEWPORT = re.compile(r"<meta\b[^>]*user-scalable=no[^>]*>")


def _text(value):
    return value if isinstance(value, str) else formats.localize(value)


@register.filter
def jalali(value):
    """Return a date or instant as tables show it in the page's language; '-' for None."""
    return formats.localize(value) if value else "-"


@register.filter
def jalali_words(value):
    """Return a date or instant as a sentence says it in the page's language; '-' for None."""
    return persian.jalali_words(value) if persian.is_persian() else jalali(value)


@register.filter
def minutes(duration):
    """Return a duration in whole minutes, rounded up."""
    return math.ceil(duration.total_seconds() / 60)


@register.filter
def own_assets(html):
    """Return a head without style sheets of other hosts, and without a ban on zooming."""
    html = FIXED_VIEWPORT.sub("", FOREIGN_LINK.sub("", html))
    return mark_safe(html)  # noqa: S308 - the rendered block of a template, less two elements


class PlainNumbers(ExtendsNode):
    """The parent template, with its numbers as they are: they make up ids that scripts read."""

    def render(self, context):
        localized, context.use_l10n = context.use_l10n, False
        try:
            return super().render(context)
        finally:
            context.use_l10n = localized


class PersianText(PlainNumbers):
    """The same, and after that the digits between its tags as the page's language shows them."""

    def render(self, context):
        return persian.digits_shown(super().render(context))


def _extends(parser, token, node_class):
    node = do_extends(parser, token)
    return node_class(node.nodelist, node.parent_name, node.template_dirs)


@register.tag
def extends_with_plain_numbers(parser, token):
    """Extend a template in which numbers stay ASCII: ``{% extends_with_plain_numbers "…" %}``."""
    return _extends(parser, token, PlainNumbers)


@register.tag
def extends_with_persian_text(parser, token):
    """Extend a template in which only the digits between tags become Persian."""
    return _extends(parser, token, PersianText)
